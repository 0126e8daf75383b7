"""The failure detector of one partition of heartbeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Liveness, NodeHealth
from snowshed.streams.folding import Batch, Decoded, Emission, Message, Step
from snowshed.streams.health.arrivals import deviation, quantile, suspicion
from snowshed.streams.health.columns import COLUMNS, HeartbeatColumns, HeartbeatReader
from snowshed.streams.health.node import GONE, Beat, NodeState, clock_ahead, dump, load, receive, silence_limit
from snowshed.streams.health.silence import correlated
from snowshed.streams.policy import Policy

__all__ = ["HeartbeatFold"]

_USED = [COLUMNS.index(name) for name in Beat._fields]
_RULES = {status: f"node-{status.value.replace('_', '-')}/1" for status in Liveness}
_REFRESH = "node-refresh/1"
_LOOK = 0.5
"""Seconds between two looks at most; a detector that was away longer has not watched the silence."""


class HeartbeatFold:
    """Judges which nodes live, by their heartbeats alone; the state key is the node.

    ALIVE becomes SUSPECT at φ ≥ 5, later by as much as its beats often come late, and DEAD after a further
    `unconfirmed_beats`, later by as much as any of them has of late; callers' reports that convict earlier are level
    2's. Silence is divided by 1 + s, where s is the node's own local-health score, plus one while this detector is late
    by more than an interval (Lifeguard: Dadgar et al., DSN-W 2018). When half of the partition falls silent within one
    interval the path is the likelier culprit: those nodes become OBSERVER_SUSPECT, none is convicted.
    """

    def __init__(self, policy: Policy, codec: Codec | None = None) -> None:
        self._policy = policy
        self._limits = policy.health
        self._quantile = quantile(policy.health.suspect_phi)
        self._reader = HeartbeatReader(codec or Codec())

    @property
    def agent(self) -> str:
        """Name of the agent that runs this fold."""
        return "heartbeats"

    def decode(self, messages: Sequence[Message]) -> Decoded[HeartbeatColumns]:
        """Heartbeats by column."""
        return self._reader.read(messages)

    def step(self, state: Mapping[str, NodeState], batch: Batch[HeartbeatColumns]) -> Step[NodeState]:
        """Take the beats in, then judge every silence up to `batch.now`."""
        received, lost = self._receive(state, batch.records)
        current = {**state, **received}
        judged = self._judge(current, batch)
        current.update(judged)
        changes: dict[str, NodeState | None] = {**received, **judged}
        emissions: list[Emission] = []
        for node in sorted(node for node, value in current.items() if self._due(state.get(node), value, batch.now)):
            value = current[node]
            emissions += self._report(state.get(node), value, batch)
            changes[node] = value._replace(reported=batch.now, ahead=clock_ahead(value))
        changes |= {node: None for node, value in current.items() if self._forgotten(value, batch.now)}
        return Step(changes, tuple(emissions), lost, _worst(current, changes) if emissions else None)

    def dump(self, value: NodeState) -> bytes:
        """A node's state as JSON."""
        return dump(value)

    def load(self, raw: bytes) -> NodeState:
        """A node's state from JSON."""
        return load(raw)

    def _receive(self, state: Mapping[str, NodeState], columns: HeartbeatColumns) -> tuple[dict[str, NodeState], float]:
        """The nodes with their newest beats, and how many beats are missing in between."""
        received: dict[str, NodeState] = {}
        lost = 0.0
        limits = self._limits
        rows = columns.values[:, _USED].tolist()
        for identity, row, appended in zip(columns.identities, rows, columns.append_times, strict=True):
            node = identity.node
            known = received.get(node) or state.get(node)
            received[node] = value = receive(known, identity, Beat._make(row), appended, limits)
            if known is not None and value.seq > known.seq + 1.0 and value.interval == known.interval:
                lost += value.seq - known.seq - 1.0
        return {node: value for node, value in received.items() if value is not state.get(node)}, lost

    def _judge(self, current: Mapping[str, NodeState], batch: Batch[HeartbeatColumns]) -> dict[str, NodeState]:
        live = [value for value in current.values() if value.status not in GONE]
        silent = [value for value in live if self._silent(value, batch)]
        if not silent:
            return {}
        observer = correlated(silent, len(live), self._limits)
        verdicts = ((value, self._verdict(value, value.node in observer, batch)) for value in silent)
        return {old.node: new for old, new in verdicts if new is not old}

    def _silent(self, state: NodeState, batch: Batch[HeartbeatColumns]) -> bool:
        elapsed = batch.now - state.last_seen
        if elapsed <= state.mean:
            return False
        return elapsed >= silence_limit(state, self._quantile, self._limits) * _doubt(state, batch)

    def _verdict(self, state: NodeState, observer: bool, batch: Batch[HeartbeatColumns]) -> NodeState:
        now = batch.now
        if observer:
            return _turned(state, Liveness.OBSERVER_SUSPECT, now)
        if state.status is not Liveness.SUSPECT:
            return _turned(state, Liveness.SUSPECT, now)._replace(suspected_at=self._crossed(state, batch))
        patience = max(self._limits.unconfirmed_beats * state.mean, self._limits.unconfirmed_minimum)
        # Nobody is convicted for what its latest beats have been late, however rarely that happens.
        rare = max(state.lateness - state.straggling, 0.0)
        return _turned(state, Liveness.DEAD, now) if now >= state.suspected_at + patience + rare else state

    def _crossed(self, state: NodeState, batch: Batch[HeartbeatColumns]) -> float:
        """When the silence became suspect: since the last look, which need not be this one."""
        limit = silence_limit(state, self._quantile, self._limits) * _doubt(state, batch)
        return max(state.last_seen + limit, batch.now - _LOOK)

    def _due(self, before: NodeState | None, value: NodeState, now: float) -> bool:
        if before is None or before.status is not value.status:
            return True
        return value.status not in GONE and now >= value.reported + self._limits.refresh

    def _forgotten(self, value: NodeState, now: float) -> bool:
        return value.status in GONE and now >= value.since + self._limits.forget

    def _report(
        self, before: NodeState | None, value: NodeState, batch: Batch[HeartbeatColumns]
    ) -> tuple[Emission, Emission]:
        record = self._health(value, batch)
        rule = _REFRESH if before and before.status is value.status else _RULES[value.status]
        return Emission("health", value.node, record, rule), Emission("observations", record.domain, record, rule)

    def _health(self, value: NodeState, batch: Batch[HeartbeatColumns]) -> NodeHealth:
        silence = max(batch.now - value.last_seen, 0.0) / _doubt(value, batch)
        sigma = deviation(value.mean, value.variance, self._limits)
        return NodeHealth(
            domain=self._policy.domain_of(value.service),
            node=value.node,
            service=value.service,
            zone=value.zone,
            host=value.host,
            status=value.status,
            since=value.since,
            last_seen=value.last_seen,
            interval=value.mean,
            phi=suspicion(silence, value.mean, sigma),
            observed_at=batch.now,
            detector_lag=batch.detector_lag,
            cpu=value.cpu,
            memory=value.memory,
            pool=value.pool,
            clock_ahead=clock_ahead(value),
        )


def _doubt(state: NodeState, batch: Batch[HeartbeatColumns]) -> float:
    """Factor 1 + s by which silence counts for less, s being at most 7."""
    late = 1.0 if batch.detector_lag > state.interval else 0.0
    return 1.0 + min(state.local_health + late, 7.0)


def _worst(current: Mapping[str, NodeState], changes: Mapping[str, NodeState | None]) -> float:
    """How far the worst clock of the nodes that are expected to beat is off."""
    return max(
        (abs(one.ahead) for one in {**current, **changes}.values() if one and one.status not in GONE), default=0.0
    )


def _turned(state: NodeState, status: Liveness, now: float) -> NodeState:
    return state if status is state.status else state._replace(status=status, since=now, suspected_at=0.0)
