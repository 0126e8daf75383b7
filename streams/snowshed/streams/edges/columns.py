"""Timing batches of many messages as one set of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.codec import FRAME_BYTES, Codec
from snowshed.schemas.errors import DecodeError, SchemaMismatch
from snowshed.schemas.records import TimingBatch, Vantage
from snowshed.streams.edges.layout import COLUMNS, Layout, Unusual, packed, string_table, walk
from snowshed.streams.edges.stack import Stack, Taken, is_sound, named_callers, stacked
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
_STATEMENT = COLUMNS.index("statement")
_ENDS = COLUMNS.index("latency_end")

_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class TimingColumns:
    """Timing batches in log order: one entry a message, one a row of all messages, one a latency bucket of all rows."""

    reporters: tuple[str, ...]
    callees: tuple[str, ...]
    vantages: tuple[Vantage, ...]
    starts: tuple[float, ...]
    """When their windows began."""
    windows: tuple[float, ...]
    urgent: tuple[bool, ...]
    lost: tuple[float, ...]
    """Records that their reporters had dropped by then."""
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
        taken: list[Taken] = []
        rejects: list[Reject] = []
        for message in messages:
            try:
                taken.append(Taken(message, *self._layout(message.value)))
            except DecodeError as error:
                rejects.append(Reject(message, error))
        stack = stacked(taken)
        if not is_sound(stack):
            sound = [one for one in taken if is_sound(stacked([one]))]
            kept = {one.message.offset for one in sound}
            rejects += [_impossible(one) for one in taken if one.message.offset not in kept]
            rejects.sort(key=_offset)
            stack = stacked(sound)
        return Decoded(_columns(stack), tuple(rejects))

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


def _columns(stack: Stack) -> TimingColumns:
    taken = stack.taken
    layouts, tables = [one.layout for one in taken], [one.table for one in taken]
    callers, caller_of_row = named_callers(stack)
    statements, statement_of_row = named_statements(stack.values[_STATEMENT], layouts, tables)
    return TimingColumns(
        reporters=tuple([layout.reporter for layout in layouts]),
        callees=tuple([layout.callee for layout in layouts]),
        vantages=tuple([layout.vantage for layout in layouts]),
        starts=tuple([layout.start for layout in layouts]),
        windows=tuple([layout.window for layout in layouts]),
        urgent=tuple([layout.urgent for layout in layouts]),
        lost=tuple([layout.lost for layout in layouts]),
        offsets=tuple([one.message.offset for one in taken]),
        callers=callers,
        message_of_row=stack.message_of_row,
        caller_of_row=caller_of_row,
        values=stack.values[_STATEMENT + 1 : _ENDS],
        row_of_bucket=np.repeat(np.arange(len(stack.lengths)), stack.lengths),
        buckets=stack.buckets.astype(np.int64),
        counts=stack.counts,
        statements=statements,
        statement_of_row=statement_of_row,
        hits=_hits(layouts),
    )


def _impossible(one: Taken) -> Reject:
    layout = one.layout
    reason = "a number is negative, not finite or points outside its table"
    return Reject(one.message, SchemaMismatch(f"timing batch of {layout.reporter} on {layout.callee}: {reason}"))


def _offset(reject: Reject) -> int:
    return reject.message.offset


def _hits(layouts: Sequence[Layout]) -> NDArray[np.float64]:
    if not any(layout.hits.size for layout in layouts):
        return np.empty(0)
    parts = [layout.hits if layout.hits.size else np.full(layout.values.shape[1], np.nan) for layout in layouts]
    return np.concatenate(parts, dtype=np.float64)
