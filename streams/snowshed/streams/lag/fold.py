"""Replication lag of every replica whose markers lie in one partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import DecodeError
from snowshed.schemas.records import GroupProgress, Lag, LagStatus, Marker, QuorumAnswers, ReplicaRole
from snowshed.streams.clocks import Clock, observe, step
from snowshed.streams.folding import Batch, Decoded, Emission, Message, Reject, Step
from snowshed.streams.lag.group_state import Group, looked
from snowshed.streams.lag.histogram import Delays, merged, recorded
from snowshed.streams.lag.intake import MarkerRecord, checked
from snowshed.streams.lag.interval import UNKNOWN, Staleness, shift_between, staleness
from snowshed.streams.lag.objectives import Objective, outlook
from snowshed.streams.lag.quorum_state import Quorum, answered
from snowshed.streams.lag.reports import emitted, quorum_lag, server_lag, with_budget, with_visibility
from snowshed.streams.lag.servers import Replica, Source, first_newer, seen, written
from snowshed.streams.lag.sights import outstanding, sighted
from snowshed.streams.lag.spending import Spending, spent
from snowshed.streams.lag.steps import dated, moved
from snowshed.streams.lag.tally import accrued, is_due, settled
from snowshed.streams.lag.world import KINDS, LagState, found, lapsed, newly_lost, source_of
from snowshed.streams.policy import Policy
from snowshed.streams.snapshot import Snapshot

__all__ = ["LagState", "MarkerFold", "SeenMarker"]

_RULES = {status: f"lag-{status.value}/1" for status in LagStatus}
_REFRESH = "lag-refresh/1"
_CONDITION = "lag-condition/1"
_SILENT = "unknown"

_Batch = Batch[tuple["SeenMarker", ...]]


@dataclass(frozen=True, slots=True)
class SeenMarker:
    """A record of the markers topic and its place in the log."""

    marker: MarkerRecord
    appended: float
    offset: int


class MarkerFold:
    """Judges how far replicas are behind, consumer groups and consensus groups among them.

    State keys: `clock/node`, `source/dataset/writer`, `replica/dataset/server`, `delays/dataset/server`,
    `budget/dataset`, `group/dataset/group`, `quorum/dataset`.

    A replica is BEHIND once it is proved to be staler than its objective, and FRESH again once it is proved to be
    inside the objective and may be inside half of it. A replica or a source without markers is UNKNOWN, never fresh.
    The source itself is reported as a server that is exactly 0 to 0 seconds behind, so that readers can be sent to it.
    """

    def __init__(self, policy: Policy, codec: Codec | None = None) -> None:
        self._policy = policy
        self._limits = policy.lag
        self._objective = Objective(policy.lag.objective)
        self._objectives = {name: Objective(policy.objective_of(name)) for name in policy.datasets}
        self._codec = codec or Codec()
        self._snapshot: Snapshot[LagState] = Snapshot(*KINDS)

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
                markers.append(
                    SeenMarker(checked(self._codec.decode(message.value)), message.timestamp, message.offset)
                )
            except DecodeError as error:
                rejects.append(Reject(message, error))
        return Decoded(tuple(markers), tuple(rejects))

    def step(self, state: Mapping[str, LagState], batch: Batch[tuple[SeenMarker, ...]]) -> Step[LagState]:
        """Take the markers in, then judge every server up to `batch.now`."""
        current = dict(state)
        for record in batch.records:
            self._receive(current, record)
        lost = newly_lost(state, current)
        emissions: list[Emission] = []
        for key in sorted(current):
            match current[key]:
                case Source() as source:
                    current[key] = self._judge_source(current, source, batch, emissions)
                case Replica() as replica:
                    current[key] = self._judge_replica(current, replica, batch, emissions)
                case Quorum() as quorum:
                    current[key] = self._judge_quorum(quorum, batch, emissions)
                case _:
                    pass
        changes: dict[str, LagState | None] = {
            key: value for key, value in current.items() if value is not state.get(key)
        }
        changes |= {key: None for key, value in current.items() if lapsed(value, batch.now, self._limits.forget)}
        return Step(changes, tuple(emissions), lost)

    def dump(self, value: LagState) -> bytes:
        """A state value as JSON."""
        return self._snapshot.dump(value)

    def load(self, raw: bytes) -> LagState:
        """A state value from JSON."""
        return self._snapshot.load(raw)

    def _receive(self, current: dict[str, LagState], record: SeenMarker) -> None:
        match record.marker:
            case Marker() as marker:
                self._receive_marker(current, marker, record)
            case GroupProgress() as look:
                key = f"group/{look.dataset}/{look.group}"
                current[key] = looked(found(current, Group, key), look, record.appended, self._policy.groups)
            case QuorumAnswers() as answers:
                key = f"quorum/{answers.dataset}"
                current[key] = answered(found(current, Quorum, key), answers, record.appended, record.offset)

    def _receive_marker(self, current: dict[str, LagState], marker: Marker, record: SeenMarker) -> None:
        clock, appended = f"clock/{marker.node}", record.appended
        known = found(current, Clock, clock)
        current[clock] = after = observe(
            known,
            marker.node,
            sent_at=marker.sent_at,
            monotonic=marker.monotonic,
            round_trip=marker.round_trip,
            appended=appended,
            policy=self._limits,
        )
        if set_by := step(known, after, self._limits):
            current.update(moved(current, marker.node, set_by))
        if marker.role is ReplicaRole.SOURCE:
            key = f"source/{marker.dataset}/{marker.writer}"
            current[key] = written(found(current, Source, key), marker, appended, record.offset)
        else:
            key = f"replica/{marker.dataset}/{marker.replica}"
            held = found(current, Replica, key)
            source = found(current, Source, f"source/{marker.dataset}/{marker.writer}")
            current[key] = self._sighted(current, held, seen(held, dated(source, marker), appended, record.offset))

    def _sighted(self, current: Mapping[str, LagState], before: Replica | None, after: Replica) -> Replica:
        """The replica with the delays of the writes that it newly shows."""
        shift = self._shift(current, after)
        if before is None or before is after or shift is None:
            return after
        bins = sighted(source_of(current, after), before, after, shift=shift, patience=self._patience(after))
        return replace(after, pending=merged(after.pending, bins)) if bins else after

    def _judge_source(
        self, current: Mapping[str, LagState], value: Source, batch: _Batch, emissions: list[Emission]
    ) -> Source:
        status = LagStatus.UNKNOWN if self._silent(value, batch.now) else LagStatus.FRESH
        changed = status is not value.status
        if changed:
            value = replace(value, status=status, since=batch.now)
        if not self._due(value, changed, batch.now):
            return value
        lag = server_lag(self._policy, current, value, Staleness(0.0, 0.0, 0.0), batch)
        emissions += emitted(lag, _RULES[status] if changed or not value.reported else _REFRESH)
        return replace(value, reported=batch.now, news=False)

    def _judge_replica(
        self, current: dict[str, LagState], value: Replica, batch: _Batch, emissions: list[Emission]
    ) -> Replica:
        now, before = batch.now, value.status
        value = _compared(value, source_of(current, value))
        interval = self._staleness(current, value, now)
        status = self._status(value, interval, self._source_silent(current, value, now), now)
        condition = self._condition(current, value, now)
        changed = status is not before
        if changed:
            value = replace(value, status=status, since=now)
        if not self._due(value, changed or condition != value.condition, now):
            return value
        rule = _RULES[status] if changed or not value.reported else _REFRESH
        rule = _CONDITION if rule == _REFRESH and condition != value.condition else rule
        value = self._counted(
            current, replace(accrued(value, before, now, self._patience(value)), condition=condition), now
        )
        lag = server_lag(self._policy, current, value, interval, batch)
        emissions += emitted(self._extended(current, value, lag, now), rule)
        return replace(value, reported=now, news=False)

    def _judge_quorum(self, value: Quorum, batch: _Batch, emissions: list[Emission]) -> Quorum:
        silent = self._silent(value, batch.now)
        status = LagStatus.UNKNOWN if silent else LagStatus.FRESH
        condition = _SILENT if silent else value.condition
        changed, turned = status is not value.status, condition != value.told
        if changed:
            value = replace(value, status=status, since=batch.now)
        if not self._due(value, changed or turned, batch.now):
            return value
        rule = _RULES[status] if changed or not value.reported else _CONDITION if turned else _REFRESH
        emissions += emitted(quorum_lag(self._policy, value, condition, batch), rule)
        return replace(value, reported=batch.now, told=condition, news=False)

    def _counted(self, current: dict[str, LagState], value: Replica, now: float) -> Replica:
        """The replica once what it summed up stands in its histogram and in its dataset's budget."""
        if not is_due(value, now):
            return value
        key, shift = f"delays/{value.dataset}/{value.server}", self._shift(current, value)
        if shift is not None:
            current[key] = recorded(
                found(current, Delays, key),
                value.pending,
                outstanding(source_of(current, value), value, shift=shift),
                at=now,
                window=self._limits.visibility_window,
                age=self._policy.slo_of(value.dataset),
            )
        if value.good or value.bad:
            key = f"budget/{value.dataset}"
            spending = found(current, Spending, key)
            current[key] = spent(spending, self._objective_of(value), now, good=value.good, bad=value.bad)
        return settled(value, now)

    def _extended(self, current: Mapping[str, LagState], value: Replica, lag: Lag, now: float) -> Lag:
        delays = found(current, Delays, f"delays/{value.dataset}/{value.server}")
        spending = found(current, Spending, f"budget/{value.dataset}")
        # While the lag is not known, neither is what would have become visible meanwhile.
        lag = with_visibility(lag, delays.shown if delays and value.status is not LagStatus.UNKNOWN else None)
        return with_budget(lag, outlook(spending.budget, self._objective_of(value), now) if spending else None)

    def _objective_of(self, value: Replica) -> Objective:
        return self._objectives.get(value.dataset, self._objective)

    def _shift(self, current: Mapping[str, LagState], replica: Replica) -> float | None:
        reader = found(current, Clock, f"clock/{replica.node}")
        return shift_between(replica, reader, found(current, Clock, f"clock/{replica.writer}"), self._limits)

    def _staleness(self, current: Mapping[str, LagState], replica: Replica, now: float) -> Staleness:
        reader = found(current, Clock, f"clock/{replica.node}")
        writer = found(current, Clock, f"clock/{replica.writer}")
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

    def _silent(self, server: Source | Replica | Quorum, now: float) -> bool:
        return now - server.appended > self._patience(server)

    def _patience(self, server: Source | Replica | Quorum) -> float:
        """Seconds without a marker after which nothing is known of a server."""
        period = server.row_period if isinstance(server, Source) else server.poll_period
        return self._limits.silent_periods * period + self._limits.silent_margin

    def _source_silent(self, current: Mapping[str, LagState], replica: Replica, now: float) -> bool:
        source = source_of(current, replica)
        return source is None or self._silent(source, now)

    def _condition(self, current: Mapping[str, LagState], replica: Replica, now: float) -> str:
        group = found(current, Group, f"group/{replica.dataset}/{replica.server}")
        if group is None:
            return ""
        return _SILENT if self._silent(replica, now) else group.status.value

    def _due(self, value: Source | Replica | Quorum, changed: bool, now: float) -> bool:
        if value.status is LagStatus.UNKNOWN and not value.reported and not self._introduced(value, now):
            return False
        return changed or not value.reported or (value.news and now >= value.reported + self._limits.refresh)

    def _introduced(self, value: Source | Replica | Quorum, now: float) -> bool:
        """Whether a new server has had time to be compared with its source before it is called unknown."""
        return now - value.since > self._limits.silent_periods * value.poll_period + self._limits.silent_margin


def _compared(replica: Replica, source: Source | None) -> Replica:
    newer = first_newer(source, replica.version) if source and replica.newer is None else None
    return replica if newer is None else replace(replica, newer=newer)
