"""What level 1 reported, with its place in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import inf, isnan

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ConfigurationError, DecodeError, SchemaMismatch
from snowshed.schemas.records import EdgeObservations, Evidence, Lag, NodeHealth, OperatorOrder
from snowshed.streams.control.ordering import checked
from snowshed.streams.folding import SETTLED, Decoded, Message, Reject

__all__ = ["Observation", "Place", "read"]

_NAMES = [item.name for item in fields(EdgeObservations)]
_LOSSES = tuple(name for name in _NAMES if name.startswith("lost_"))
"""Columns with an entry for each loss."""
_COLUMNS = _NAMES[_NAMES.index("strings") + 1 : _NAMES.index("cut_edge")]
"""Columns with an entry for each edge."""
_LATER = frozenset({"completions", "cache_hits"})
"""Those of them that older records have not."""
_COUNTS = _COLUMNS[_COLUMNS.index("reporters") : _COLUMNS.index("queue_delay_mean")]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the newest observation of something stands on the observations topic."""

    partition: int
    offset: int

    def evidence(self, series: str, value: float, threshold: float, unit: str, at: float) -> Evidence:
        """A measured value that was read here."""
        return Evidence(
            series=series,
            value=value,
            threshold=threshold,
            unit=unit,
            at=at,
            topic="observations",
            partition=self.partition,
            offset=self.offset,
        )


@dataclass(frozen=True, slots=True)
class Observation:
    """One record of level 1, or an operator's order."""

    record: NodeHealth | EdgeObservations | Lag | OperatorOrder
    offset: int


def read(messages: Sequence[Message], codec: Codec) -> Decoded[tuple[Observation, ...]]:
    """Observations in log order, and what is none with its reason."""
    observations: list[Observation] = []
    rejects: list[Reject] = []
    for message in messages:
        if message.value is None and message.key == SETTLED:
            continue
        try:
            observations.append(Observation(_record(codec, message.value), message.offset))
        except DecodeError as error:
            rejects.append(Reject(message, error))
    return Decoded(tuple(observations), tuple(rejects))


def _record(codec: Codec, value: bytes | None) -> NodeHealth | EdgeObservations | Lag | OperatorOrder:
    record = codec.decode(value)
    if isinstance(record, EdgeObservations):
        _check(record)
        return record
    if isinstance(record, OperatorOrder):
        _check_order(record)
        return record
    if isinstance(record, NodeHealth | Lag):
        return record
    raise SchemaMismatch(f"a {type(record).__name__} stands where observations belong")


def _check(record: EdgeObservations) -> None:
    lengths = {len(getattr(record, name)) for name in _COLUMNS if name not in _LATER or getattr(record, name)}
    sound = (
        len(lengths) == 1
        and all(_within(column, 0.0, len(record.strings)) for column in (record.caller, record.callee))
        and _within(record.span, 0.0, inf)
        and 0.0 not in record.span
        and all(_within(getattr(record, name), 0.0, inf) for name in _COUNTS)
        and all(ratio <= 1.0 or isnan(ratio) for ratio in record.base_ok_ratio)
        and len({len(record.cut_edge), len(record.cut_node), len(record.cut_calls)}) == 1
        and all(0.0 <= index < len(record.span) for index in record.cut_edge)
        and all(0.0 <= index < len(record.strings) for index in record.cut_node)
        and len(record.mute_edge) == len(record.mute_calls)
        and all(0.0 <= index < len(record.span) for index in record.mute_edge)
        and _within(record.mute_calls, 0.0, inf)
        and _are_losses(record)
    )
    if not sound:
        reason = "columns differ in length, an index is out of range or a count cannot be"
        raise SchemaMismatch(f"edge observations of {record.domain}: {reason}")


def _within(column: Sequence[float], least: float, end: float) -> bool:
    """Whether least ≤ x < end for each: in a few passes of built-in functions, not number by number."""
    # Among others NaN hides from the smallest and the largest, and from the sum never.
    return not column or (min(column) >= least and max(column) < end and not isnan(sum(column)))


def _are_losses(record: EdgeObservations) -> bool:
    columns = [getattr(record, name) for name in _LOSSES]
    return len({len(column) for column in columns}) == 1 and (
        not record.lost_callee
        or (
            all(0.0 <= index < len(record.strings) for index in (*record.lost_callee, *record.lost_reporter))
            and all(0.0 <= count < inf for column in columns for count in column)
            and all(calls > 0.0 for calls in record.lost_of)
        )
    )


def _check_order(order: OperatorOrder) -> None:
    try:
        checked(order)
    except ConfigurationError as error:
        raise SchemaMismatch(str(error)) from error
