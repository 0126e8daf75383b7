"""What level 1 reported, with its place in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import DecodeError, SchemaMismatch
from snowshed.schemas.records import EdgeObservations, Evidence, Lag, NodeHealth
from snowshed.streams.folding import Decoded, Message, Reject

__all__ = ["Observation", "Place", "read"]

_COLUMNS = ("caller", "callee", "span", "reporters", "first", "attempts", "ok", "base_p90")


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
    """One record of level 1."""

    record: NodeHealth | EdgeObservations | Lag
    offset: int


def read(messages: Sequence[Message], codec: Codec) -> Decoded[tuple[Observation, ...]]:
    """Observations in log order, and what is none with its reason."""
    observations: list[Observation] = []
    rejects: list[Reject] = []
    for message in messages:
        try:
            observations.append(Observation(_record(codec, message.value), message.offset))
        except DecodeError as error:
            rejects.append(Reject(message, error))
    return Decoded(tuple(observations), tuple(rejects))


def _record(codec: Codec, value: bytes | None) -> NodeHealth | EdgeObservations | Lag:
    record = codec.decode(value)
    if isinstance(record, EdgeObservations):
        _check(record)
        return record
    if isinstance(record, NodeHealth | Lag):
        return record
    raise SchemaMismatch(f"a {type(record).__name__} stands where observations belong")


def _check(record: EdgeObservations) -> None:
    lengths = {len(getattr(record, name)) for name in _COLUMNS}
    indexes = [*record.caller, *record.callee]
    sound = len(lengths) == 1 and all(0 <= index < len(record.strings) for index in indexes)
    if not sound or not all(span > 0.0 for span in record.span):
        raise SchemaMismatch(f"edge observations of {record.domain}: columns disagree or an index is out of range")
