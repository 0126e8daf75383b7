"""Timing batches of many messages as one set of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.codec import FRAME_BYTES, Codec
from snowshed.schemas.errors import DecodeError, SchemaMismatch
from snowshed.schemas.records import TimingBatch, Vantage
from snowshed.schemas.sketch import BUCKETS
from snowshed.streams.edges.layout import COLUMNS, Layout, Unusual, packed, string_table, walk
from snowshed.streams.edges.statements import Table, named_statements, table_of
from snowshed.streams.folding import Decoded, Message, Reject

__all__ = ["NUMBERS", "TimingColumns", "TimingReader"]

NUMBERS = COLUMNS[COLUMNS.index("first") : COLUMNS.index("latency_end")]
"""Names of the rows' numbers."""

_EMPTY = TimingBatch(
    reporter="",
    service="",
    callee="",
    vantage=Vantage.CALLER,
    window_start=0.0,
    window=1.0,
    sent_at=0.0,
    strings=(),
    latency_bucket=(),
    latency_count=(),
    caller=(),
    operation=(),
    statement=(),
    first=(),
    attempts=(),
    ok=(),
    error_local=(),
    error_downstream=(),
    rejected=(),
    timeout=(),
    in_flight_max=(),
    queue_delay_sum=(),
    queue_delay_max=(),
    latency_sum=(),
    latency_end=(),
)
_IN_FLIGHT = COLUMNS.index("in_flight_max")
_CALLER = COLUMNS.index("caller")
_STATEMENT = COLUMNS.index("statement")
_ENDS = COLUMNS.index("latency_end")

_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class TimingColumns:
    """Timing batches in log order: one entry a message, one a row of all messages, one a latency bucket of all rows."""

    reporters: tuple[str, ...]
    callees: tuple[str, ...]
    vantages: tuple[Vantage, ...]
    windows: tuple[float, ...]
    urgent: tuple[bool, ...]
    offsets: tuple[int, ...]
    callers: tuple[str, ...]
    """Names of the callers, without duplicates, in order of appearance."""
    message_of_row: _Ints
    caller_of_row: _Ints
    """Indexes into `callers`."""
    values: NDArray[np.float64]
    """Shape (`len(NUMBERS)`, rows)."""
    row_of_bucket: _Ints
    buckets: _Ints
    counts: NDArray[np.float64]
    statements: tuple[tuple[str, str], ...] = ()
    """Fingerprints with their operations, without duplicates; empty where no row has one."""
    statement_of_row: _Ints = field(default_factory=lambda: np.empty(0, np.int64))
    """Indexes into `statements`, -1 in batches without fingerprints; empty as those."""
    hits: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """Requests that a cache answered, NaN in batches that do not count them; empty where none does."""


class TimingReader:
    """Reads timing batches, remembering at most `remembered` different tables of strings.

    The memory only saves work; it never changes what is read.
    """

    def __init__(self, codec: Codec, remembered: int = 4096) -> None:
        self._codec = codec
        self._remembered = remembered
        self._tables: dict[bytes, Table] = {}
        self._frame = codec.encode(_EMPTY)[:FRAME_BYTES]

    def read(self, messages: Sequence[Message]) -> Decoded[TimingColumns]:
        """The readable batches by column, and the rest with its reasons."""
        builder = _Builder()
        rejects: list[Reject] = []
        for message in messages:
            try:
                builder.add(message.offset, *self._layout(message.value))
            except DecodeError as error:
                rejects.append(Reject(message, error))
        return Decoded(builder.columns(), tuple(rejects))

    def _layout(self, value: bytes | None) -> tuple[Layout, Table]:
        if value is not None and value.startswith(self._frame):
            try:
                layout = walk(value, FRAME_BYTES)
                return layout, self._strings(layout.strings)
            except Unusual:
                pass
        record = self._codec.decode(value)
        if not isinstance(record, TimingBatch):
            raise SchemaMismatch(f"a {type(record).__name__} stands where timing batches belong")
        try:
            return packed(record), table_of(record.strings)
        except Unusual:
            raise SchemaMismatch(f"timing batch of {record.reporter}: its columns differ in length") from None

    def _strings(self, strings: bytes) -> Table:
        table = self._tables.get(strings)
        if table is None:
            table = table_of(string_table(strings))
            if len(self._tables) >= self._remembered:
                self._tables.clear()
            self._tables[strings] = table
        return table


class _Builder:
    """Collects layouts and joins them."""

    def __init__(self) -> None:
        self._layouts: list[Layout] = []
        self._offsets: list[int] = []
        self._callers: dict[str, int] = {}
        self._caller_of_row: list[_Ints] = []
        self._tables: list[Table] = []

    def add(self, offset: int, layout: Layout, table: Table) -> None:
        """Take one batch in; raises SchemaMismatch for numbers that cannot be."""
        layout, strings = _known(layout), table.strings
        _check(layout, len(strings))
        indexes = layout.values[_CALLER].astype(np.int64)
        mapping = np.zeros(len(strings), np.int64)
        for index in sorted({int(index) for index in indexes.tolist()}):
            mapping[index] = self._callers.setdefault(strings[index], len(self._callers))
        self._caller_of_row.append(mapping[indexes])
        self._tables.append(table)
        self._layouts.append(layout)
        self._offsets.append(offset)

    def columns(self) -> TimingColumns:
        """All batches taken in."""
        layouts = self._layouts
        rows = [layout.values.shape[1] for layout in layouts]
        per_row = [_lengths(layout) for layout in layouts]
        stacked = _stacked([layout.values[_STATEMENT:_ENDS] for layout in layouts])
        statements, statement_of_row = named_statements(stacked[0], layouts, self._tables)
        return TimingColumns(
            reporters=tuple([layout.reporter for layout in layouts]),
            callees=tuple([layout.callee for layout in layouts]),
            vantages=tuple([layout.vantage for layout in layouts]),
            windows=tuple([layout.window for layout in layouts]),
            urgent=tuple([layout.urgent for layout in layouts]),
            offsets=tuple(self._offsets),
            callers=tuple(self._callers),
            message_of_row=np.repeat(np.arange(len(layouts)), rows),
            caller_of_row=_integers(self._caller_of_row),
            values=stacked[1:],
            row_of_bucket=np.repeat(np.arange(sum(rows)), _integers(per_row)),
            buckets=_integers([layout.buckets for layout in layouts]),
            counts=np.concatenate([np.empty(0), *(layout.counts.astype(np.float64) for layout in layouts)]),
            statements=statements,
            statement_of_row=statement_of_row,
            hits=_hits(layouts),
        )


def _known(layout: Layout) -> Layout:
    """With 0 for calls in flight that a reporter could not count; no other number may be unknown."""
    in_flight = layout.values[_IN_FLIGHT]
    if not np.isnan(in_flight).any():
        return layout
    values = layout.values.copy()
    values[_IN_FLIGHT] = np.nan_to_num(in_flight)
    return layout._replace(values=values)


def _check(layout: Layout, strings: int) -> None:
    values, buckets, counts, hits = layout.values, layout.buckets, layout.counts, layout.hits
    ends = values[_ENDS]
    sound = (
        0.0 < layout.window < float("inf")
        and (values.size == 0 or (values.min() >= 0.0 and bool(np.isfinite(values.max()))))
        and (values.size == 0 or values[_CALLER].max() < strings)
        and (buckets.size == 0 or (buckets.min() >= 0.0 and buckets.max() < BUCKETS))
        and (counts.size == 0 or (counts.min() >= 0.0 and bool(np.isfinite(counts.max()))))
        and (hits.size == 0 or (hits.min() >= 0.0 and bool(np.isfinite(hits.max()))))
        and bool((ends[1:] >= ends[:-1]).all())
        and (ends[-1] if ends.size else 0.0) == len(buckets)
    )
    if not sound:
        reason = "a number is negative, not finite or points outside its table"
        raise SchemaMismatch(f"timing batch of {layout.reporter} on {layout.callee}: {reason}")


def _lengths(layout: Layout) -> _Ints:
    lengths: _Ints = np.diff(layout.values[_ENDS], prepend=np.float32(0)).astype(np.int64)
    return lengths


def _hits(layouts: Sequence[Layout]) -> NDArray[np.float64]:
    if not any(layout.hits.size for layout in layouts):
        return np.empty(0)
    parts = [layout.hits if layout.hits.size else np.full(layout.values.shape[1], np.nan) for layout in layouts]
    return np.concatenate(parts, dtype=np.float64)


def _integers(parts: Sequence[_Ints | NDArray[np.float32]]) -> _Ints:
    return np.concatenate([np.empty(0, np.int64), *(part.astype(np.int64) for part in parts)])


def _stacked(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    return np.concatenate(parts, axis=1, dtype=np.float64) if parts else np.empty((1 + len(NUMBERS), 0))
