"""What is remembered of one node, and what one more beat makes of it."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Any, NamedTuple

import orjson

from snowshed.schemas.records import Liveness, NodeStatus
from snowshed.streams.clocks import Offset, ahead
from snowshed.streams.health.arrivals import deviation, learn
from snowshed.streams.health.columns import NodeIdentity
from snowshed.streams.policy import HealthPolicy

__all__ = ["GONE", "Beat", "NodeState", "clock_ahead", "dump", "load", "receive", "silence_limit"]

GONE = (Liveness.LEFT, Liveness.DEAD)
"""States without an expectation of further beats; a tuple, because hashing an enum costs more than comparing two."""

_STATED = {NodeStatus.UP: Liveness.ALIVE, NodeStatus.LEAVING: Liveness.LEFT, NodeStatus.ENDED: Liveness.DEAD}


class Beat(NamedTuple):
    """The numbers of a heartbeat that the detector uses."""

    seq: float
    sent_at: float
    monotonic: float
    interval: float
    local_health: float
    cpu: float
    memory: float
    pool: float
    round_trip: float


class NodeState(NamedTuple):
    """A node in constant size: the interval statistics are exponentially weighted, no samples are kept.

    A named tuple, because one is made for every beat.
    """

    node: str
    service: str
    zone: str
    host: str
    seq: float
    sent_at: float
    monotonic: float
    interval: float
    """The interval the node promises, which is where learning starts from."""
    mean: float
    variance: float
    samples: float
    last_seen: float
    """Append time of the newest beat."""
    local_health: float
    cpu: float
    memory: float
    pool: float
    status: Liveness
    since: float
    reported: float
    """Time of the last report."""
    suspected_at: float
    """When the present suspicion began; 0 without one."""
    least: float = inf
    """Smallest append time minus monotonic time of late: an offset between two clocks, and the quickest way."""
    lateness: float = 0.0
    """By how much a beat has come later than on the quickest way, forgotten slowly."""
    straggling: float = 0.0
    """By how much three beats in a thousand come later, about."""
    round_trip: float = nan
    """Smallest produce round trip, as it said last."""
    ahead: float = 0.0
    """As `clock_ahead`, in the last report."""


_DRIFT = 100e-6
"""Relative drift between two clocks that is not taken for lateness."""
_FORGOTTEN = 0.002
"""Seconds of lateness that a second of good beats makes forgotten: three seconds in 25 minutes."""
_RARE = 0.003
"""Share of the beats whose lateness no suspicion waits for: a node may be suspected for a lone straggler."""
_YOUNG = 100.0
"""Beats of a node about whose way so little is known that each late one counts in full."""
_SET = 1.0
"""Seconds by which the distance of a node's two clocks must have changed for one of them to have been set or stopped,
or for both to be another host's."""
_SETTLED = 10.0
"""Intervals after which so many beats have come that one of them has come quickly."""
_GIVEN_UP = 30.0
"""Longest way of a beat that measured none: a producer's `message.timeout.ms`."""
_STATUS = NodeState._fields.index("status")
_VERSION = 1


def dump(state: NodeState) -> bytes:
    """The state as JSON, led by the version of this form."""
    return orjson.dumps((_VERSION, *state))


def load(raw: bytes) -> NodeState:
    """The state that `dump` was given."""
    _, *stored = orjson.loads(raw)
    values: list[Any] = [nan if value is None else value for value in stored]
    values[_STATUS] = Liveness(values[_STATUS])
    state = NodeState(*values)
    return state._replace(least=inf) if isnan(state.least) else state


def silence_limit(state: NodeState, quantile: float, policy: HealthPolicy) -> float:
    """Seconds of silence that make a healthy node suspect, for a detector that is itself well.

    A silence no longer than many of the node's beats have been late is nothing to suspect it for.
    """
    mean = state.mean
    return mean + quantile * deviation(mean, state.variance, policy) + state.straggling


def receive(
    state: NodeState | None, identity: NodeIdentity, beat: Beat, appended: float, policy: HealthPolicy
) -> NodeState:
    """The node after one more beat; one that is older than what is known changes nothing.

    A sequence number that falls while a clock advances is a new incarnation, whose intervals are learned afresh. So is
    a beat of another boot once the node is not heard any more, even if the clock there is behind.
    """
    if state is None:
        return _fresh(identity, beat, appended)
    if identity.status is NodeStatus.ENDED:
        return _ended(state, beat, appended)
    older = beat.monotonic <= state.monotonic and beat.sent_at <= state.sent_at
    if older and (state.status is Liveness.ALIVE or not _is_set(state, beat)):
        late = appended - beat.monotonic - state.least
        # A beat of an earlier incarnation, whose clock may have been another, says nothing of the way.
        if not 0.0 < late < policy.latest:
            return state
        return state._replace(
            lateness=max(state.lateness, late), straggling=_straggled(state.straggling, late, state.samples)
        )
    if beat.seq <= state.seq or beat.monotonic <= state.monotonic or beat.interval != state.interval:
        return _carried(state, _fresh(identity, beat, appended))
    passed = beat.monotonic - state.monotonic
    offset = appended - beat.monotonic
    # A step of a clock, or a monotonic one that stood still with its host, begins the measurement anew.
    least = offset if _is_set(state, beat) else min(offset, state.least + _DRIFT * passed)
    status = Liveness.ALIVE if identity.status is NodeStatus.UP else _STATED[identity.status]
    mean, variance, samples = state.mean, state.variance, state.samples
    if beat.seq == state.seq + 1.0 and state.status is Liveness.ALIVE:
        mean, variance, samples = learn(mean, variance, samples, passed, policy.window)
    return NodeState(
        state.node,
        identity.service,
        identity.zone,
        identity.host,
        beat.seq,
        beat.sent_at,
        beat.monotonic,
        beat.interval,
        mean,
        variance,
        samples,
        appended,
        beat.local_health,
        nan if isnan(beat.cpu) else beat.cpu,
        nan if isnan(beat.memory) else beat.memory,
        nan if isnan(beat.pool) else beat.pool,
        status,
        state.since if status is state.status else appended,
        state.reported,
        0.0,
        least,
        min(max(offset - least, state.lateness - _FORGOTTEN * passed), policy.latest),
        _straggled(state.straggling, min(offset - least, policy.latest), samples),
        nan if isnan(beat.round_trip) else beat.round_trip,
        state.ahead,
    )


def clock_ahead(state: NodeState) -> float:
    """Seconds by which the node's wall clock is proved to be ahead of the broker's, as `clocks.ahead` has it."""
    if state.samples < _SETTLED:
        return 0.0
    upper = state.least - (state.sent_at - state.monotonic)
    return ahead(Offset(upper, state.round_trip if 0.0 <= state.round_trip < inf else _GIVEN_UP))


def _is_set(state: NodeState, beat: Beat) -> bool:
    return abs((beat.sent_at - beat.monotonic) - (state.sent_at - state.monotonic)) > _SET


def _straggled(held: float, late: float, samples: float) -> float:
    """The lateness that few beats exceed, after one more: a quantile that rises as much faster as it is rarer."""
    if late > held:
        return late if samples < _YOUNG else min(held + 1.0 - _RARE, late)
    return max(held - _RARE, late)


def _fresh(identity: NodeIdentity, beat: Beat, appended: float) -> NodeState:
    return NodeState(
        node=identity.node,
        service=identity.service,
        zone=identity.zone,
        host=identity.host,
        seq=beat.seq,
        sent_at=beat.sent_at,
        monotonic=beat.monotonic,
        interval=beat.interval,
        mean=beat.interval,
        variance=0.0,
        samples=0.0,
        last_seen=appended,
        local_health=beat.local_health,
        cpu=nan if isnan(beat.cpu) else beat.cpu,
        memory=nan if isnan(beat.memory) else beat.memory,
        pool=nan if isnan(beat.pool) else beat.pool,
        status=_STATED[identity.status],
        since=appended,
        reported=0.0,
        suspected_at=0.0,
        least=appended - beat.monotonic,
        round_trip=nan if isnan(beat.round_trip) else beat.round_trip,
    )


def _carried(old: NodeState, new: NodeState) -> NodeState:
    since = old.since if new.status is old.status else new.since
    # The way of its beats is as quick or slow as before, whichever process sends them.
    return new._replace(
        since=since, reported=old.reported, lateness=old.lateness, straggling=old.straggling, ahead=old.ahead
    )


def _ended(state: NodeState, beat: Beat, appended: float) -> NodeState:
    """A host agent saw the process end: dead at once, unless a beat was sent after that.

    The end's own clocks are kept, so that beats which were still under way are older than it.
    """
    if beat.sent_at <= state.sent_at:
        return state
    return state._replace(
        sent_at=beat.sent_at,
        monotonic=max(beat.monotonic, state.monotonic),
        status=Liveness.DEAD,
        since=state.since if state.status is Liveness.DEAD else appended,
        suspected_at=0.0,
    )
