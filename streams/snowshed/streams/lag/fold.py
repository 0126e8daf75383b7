"""Replication lag of every replica whose markers lie in one partition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import DecodeError, SchemaMismatch
from snowshed.schemas.records import Lag, LagStatus, Marker, ReplicaRole
from snowshed.streams.folding import Batch, Decoded, Emission, Message, Reject, Step
from snowshed.streams.lag.clocks import Clock, observe
from snowshed.streams.lag.interval import UNKNOWN, Staleness, staleness
from snowshed.streams.lag.servers import Replica, Source, first_newer, seen, written
from snowshed.streams.policy import Policy
from snowshed.streams.snapshot import Snapshot

__all__ = ["LagState", "MarkerFold", "SeenMarker"]

LagState = Clock | Source | Replica

_RULES = {status: f"lag-{status.value}/1" for status in LagStatus}
_REFRESH = "lag-refresh/1"
_REQUIRED = ("version", "written_at", "seen_at", "sent_at", "monotonic", "row_period", "poll_period")


@dataclass(frozen=True, slots=True)
class SeenMarker:
    """A marker and its place in the log."""

    marker: Marker
    appended: float
    offset: int


class MarkerFold:
    """Judges how far replicas are behind; state keys: `clock/node`, `source/dataset/writer`, `replica/dataset/server`.

    A replica is BEHIND once it is proved to be staler than its objective, and FRESH again once it is proved to be
    inside the objective and may be inside half of it. A replica or a source without markers is UNKNOWN, never fresh.
    The source itself is reported as a server that is exactly 0 to 0 seconds behind, so that readers can be sent to it.
    """

    def __init__(self, policy: Policy, codec: Codec | None = None) -> None:
        self._policy = policy
        self._limits = policy.lag
        self._codec = codec or Codec()
        self._snapshot: Snapshot[LagState] = Snapshot(Clock, Source, Replica)

    @property
    def agent(self) -> str:
        """Name of the agent that runs this fold."""
        return "markers"

    def decode(self, messages: Sequence[Message]) -> Decoded[tuple[SeenMarker, ...]]:
        """Markers in log order."""
        markers: list[SeenMarker] = []
        rejects: list[Reject] = []
        for message in messages:
            try:
                markers.append(SeenMarker(self._marker(message.value), message.timestamp, message.offset))
            except DecodeError as error:
                rejects.append(Reject(message, error))
        return Decoded(tuple(markers), tuple(rejects))

    def step(self, state: Mapping[str, LagState], batch: Batch[tuple[SeenMarker, ...]]) -> Step[LagState]:
        """Take the markers in, then judge every server up to `batch.now`."""
        current = dict(state)
        for record in batch.records:
            self._receive(current, record)
        emissions: list[Emission] = []
        for key in sorted(current):
            self._judge(current, key, batch, emissions)
        changes: dict[str, LagState | None] = {
            key: value for key, value in current.items() if value is not state.get(key)
        }
        changes |= {key: None for key, value in current.items() if self._forgotten(value, batch.now)}
        return Step(changes, tuple(emissions))

    def dump(self, value: LagState) -> bytes:
        """A state value as JSON."""
        return self._snapshot.dump(value)

    def load(self, raw: bytes) -> LagState:
        """A state value from JSON."""
        return self._snapshot.load(raw)

    def _marker(self, value: bytes | None) -> Marker:
        record = self._codec.decode(value)
        if not isinstance(record, Marker):
            raise SchemaMismatch(f"a {type(record).__name__} stands where markers belong")
        for name in _REQUIRED:
            if not isfinite(getattr(record, name)):
                raise SchemaMismatch(f"marker of {record.dataset}/{record.replica}: {name} must be finite")
        return record

    def _receive(self, current: dict[str, LagState], record: SeenMarker) -> None:
        marker, appended = record.marker, record.appended
        clock = f"clock/{marker.node}"
        current[clock] = observe(
            _clock(current, marker.node),
            marker.node,
            sent_at=marker.sent_at,
            monotonic=marker.monotonic,
            round_trip=marker.round_trip,
            appended=appended,
            policy=self._limits,
        )
        if marker.role is ReplicaRole.SOURCE:
            key = f"source/{marker.dataset}/{marker.writer}"
            current[key] = written(_source(current, marker.dataset, marker.writer), marker, appended, record.offset)
        else:
            key = f"replica/{marker.dataset}/{marker.replica}"
            held = current.get(key)
            replica = held if isinstance(held, Replica) else None
            current[key] = seen(replica, marker, appended, record.offset)

    def _judge(
        self,
        current: dict[str, LagState],
        key: str,
        batch: Batch[tuple[SeenMarker, ...]],
        emissions: list[Emission],
    ) -> None:
        value = current[key]
        if isinstance(value, Clock):
            return
        if isinstance(value, Source):
            interval = Staleness(0.0, 0.0, 0.0)
            status = LagStatus.UNKNOWN if self._silent(value, batch.now) else LagStatus.FRESH
        else:
            value = _compared(value, _source(current, value.dataset, value.writer))
            interval = self._staleness(current, value, batch.now)
            status = self._status(value, interval, self._source_silent(current, value, batch.now), batch.now)
        changed = status is not value.status
        if changed:
            value = replace(value, status=status, since=batch.now)
        if self._due(value, changed, batch.now):
            emissions += self._report(current, value, interval, changed, batch)
            value = replace(value, reported=batch.now, news=False)
        current[key] = value

    def _staleness(self, current: Mapping[str, LagState], replica: Replica, now: float) -> Staleness:
        reader, writer = _clock(current, replica.node), _clock(current, replica.writer)
        return staleness(replica, reader, writer, now=now, policy=self._limits)

    def _status(self, replica: Replica, interval: Staleness, source_silent: bool, now: float) -> LagStatus:
        slo = self._policy.slo_of(replica.dataset)
        if interval is UNKNOWN or self._silent(replica, now):
            return LagStatus.UNKNOWN
        if interval.low >= slo:
            return LagStatus.BEHIND
        if source_silent and interval.high_at_read >= slo:
            return LagStatus.UNKNOWN
        if interval.high_at_read < slo and (replica.status is not LagStatus.BEHIND or interval.low < slo / 2):
            return LagStatus.FRESH
        return replica.status

    def _silent(self, server: Source | Replica, now: float) -> bool:
        period = server.row_period if isinstance(server, Source) else server.poll_period
        return now - server.appended > self._limits.silent_periods * period + self._limits.silent_margin

    def _source_silent(self, current: Mapping[str, LagState], replica: Replica, now: float) -> bool:
        source = _source(current, replica.dataset, replica.writer)
        return source is None or self._silent(source, now)

    def _due(self, value: Source | Replica, changed: bool, now: float) -> bool:
        if value.status is LagStatus.UNKNOWN and not value.reported and not self._introduced(value, now):
            return False
        return changed or not value.reported or (value.news and now >= value.reported + self._limits.refresh)

    def _introduced(self, value: Source | Replica, now: float) -> bool:
        """Whether a new server has had time to be compared with its source before it is called unknown."""
        return now - value.since > self._limits.silent_periods * value.poll_period + self._limits.silent_margin

    def _report(
        self,
        current: Mapping[str, LagState],
        value: Source | Replica,
        interval: Staleness,
        changed: bool,
        batch: Batch[tuple[SeenMarker, ...]],
    ) -> Iterator[Emission]:
        record = Lag(
            domain=self._policy.domain_of_dataset(value.dataset),
            dataset=value.dataset,
            replica=value.server,
            system=value.system,
            status=value.status,
            since=value.since,
            low=interval.low,
            high=interval.high,
            bytes_behind=_bytes_behind(current, value),
            poll_period=value.poll_period,
            slo=self._policy.slo_of(value.dataset),
            observed_at=batch.now,
            detector_lag=batch.detector_lag,
            evidence_offset=_evidence(current, value),
            evidence_partition=batch.partition,
        )
        rule = _RULES[value.status] if changed or not value.reported else _REFRESH
        yield Emission("lag", f"{value.dataset}/{value.server}", record, rule)
        yield Emission("observations", record.domain, record, rule)

    def _forgotten(self, value: LagState, now: float) -> bool:
        newest = value.updated if isinstance(value, Clock) else value.appended
        return now - newest > self._limits.forget


def _clock(current: Mapping[str, LagState], node: str) -> Clock | None:
    value = current.get(f"clock/{node}")
    return value if isinstance(value, Clock) else None


def _source(current: Mapping[str, LagState], dataset: str, writer: str) -> Source | None:
    value = current.get(f"source/{dataset}/{writer}")
    return value if isinstance(value, Source) else None


def _compared(replica: Replica, source: Source | None) -> Replica:
    newer = first_newer(source, replica.version) if source and replica.newer is None else None
    return replica if newer is None else replace(replica, newer=newer)


def _bytes_behind(current: Mapping[str, LagState], value: Source | Replica) -> float:
    if isinstance(value, Source):
        return 0.0
    source = _source(current, value.dataset, value.writer)
    known = [position for position in (value.source_position, source.position if source else nan) if isfinite(position)]
    return max(max(known) - value.position, 0.0) if known and isfinite(value.position) else nan


def _evidence(current: Mapping[str, LagState], value: Source | Replica) -> int:
    source = _source(current, value.dataset, value.writer)
    return max(value.offset, source.offset) if source else value.offset
