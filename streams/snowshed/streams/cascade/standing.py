"""What level 2 remembers of each called service: what is usual, how busy it has been, and how its trouble goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import isnan, nan, sqrt

from snowshed.streams.cascade.measuring import joined, measured
from snowshed.streams.cascade.observations import Place
from snowshed.streams.cascade.views import EdgeView, queues
from snowshed.streams.policy import ChangePolicy, Policy
from snowshed.streams.stability.change import Cusum, summed
from snowshed.streams.stability.course import STABLE, Course, Judgement, Verdict
from snowshed.streams.stability.measured import Measured, Usual
from snowshed.streams.stability.metastable import judge
from snowshed.streams.stability.robust import Robust, learned
from snowshed.streams.stability.season import Season, factor, hour_of, noted

__all__ = ["Standing", "Surge", "Tally", "season_of", "stood", "unseen"]

_WHOLE = 0.9
"""Shorter windows, which a reporter sends at once because of an anomaly, are joined until they cover a second."""


_SURGE_ENDS = 2.5
"""Seconds without more requests than usual that end a surge: two windows."""
_CHANCE = 3.0
"""Standard deviations of a Poisson count that still pass for chance."""
_WARMEST = 0.999
"""A cache that answers more than this is reckoned as one that answers so much."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Sum and number of the windows of one hour of the week."""

    hour: int = -1
    total: float = 0.0
    windows: int = 0


@dataclass(frozen=True, slots=True)
class Surge:
    """More requests than usual."""

    since: float = 0.0
    """When it began; 0 for none."""
    last: float = 0.0
    """When it was last seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A service as its callers and itself reported it."""

    service: str
    domain: str
    observed_at: float
    place: Place
    demand: Robust = field(default_factory=Robust)
    """First attempts a second."""
    served: Robust = field(default_factory=Robust)
    """Completions a second."""
    warm: Robust = field(default_factory=Robust)
    """Share of the requests that a cache answers, where callers count that."""
    learned_at: float = 0.0
    """When the demand was last learned; 0 for never."""
    hour: Tally = field(default_factory=Tally)
    """The demand of this hour so far."""
    fall: Cusum = field(default_factory=Cusum)
    """Completions below the usual."""
    open: Measured | None = None
    """Windows too short to be judged alone."""
    inflow: float = nan
    """Attempts a second, newest."""
    asked: float = nan
    """First attempts a second, newest, as far as their number is no chance."""
    throughput: float = nan
    """Completions a second, newest."""
    peak: float = nan
    """Most completions a second in two windows on end."""
    saturated: bool = False
    """Whether the queue was long then."""
    surging: Surge = field(default_factory=Surge)
    retries: float = 0.0
    """Most retries that a request has cost in a window."""
    in_flight: tuple[tuple[float, float], ...] = ()
    """Time and calls in flight of the newest windows."""
    anomalous_since: float = 0.0
    """Since when an edge into it is overloaded or amplified; 0 while none is."""
    course: Course = field(default_factory=Course)
    judgement: Judgement = STABLE
    reported: float = 0.0
    """When it was last told of; 0 for never."""
    told: Verdict = Verdict.STABLE
    """The verdict that was told then."""

    def onset(self, policy: ChangePolicy) -> float:
        """Since when it fails: when its completions began to fall, if that was before its edges were found bad."""
        return min(self.anomalous_since, self.fall.since) if self.fall.alarms(policy) else self.anomalous_since

    @property
    def key(self) -> str:
        """State key."""
        return f"service/{self.service}"


def stood(
    held: Standing | None,
    edges: Sequence[EdgeView],
    caller: Callable[[str], Standing | None],
    policy: Policy,
    *,
    frozen: bool,
    season: Season | None = None,
) -> Standing:
    """The standing after one more window of every edge into the service.

    Args:
        held: the standing so far.
        edges: the edges with their newest windows.
        caller: the standing of a caller that is called itself.
        policy: the thresholds.
        frozen: whether something is wrong in the domain, so that nothing is learned any more. What is not known yet is:
            where a start looks like trouble to one service, all others would else stay blind.
        season: its usual week, where one has been learned.
    """
    edge = edges[0]
    held = held or Standing(
        service=edge.window.callee, domain=edge.domain, observed_at=edge.observed_at, place=edge.place
    )
    window = joined(held.open, measured(edges))
    if window.span < _WHOLE:
        return replace(_heard(held, edges, policy), open=window)
    sound = not any(one.overloaded.windows or one.amplified.windows for one in edges)
    sound = sound and not (frozen and held.demand.known)
    moved = factor(season, held.learned_at, edge.observed_at)
    asked = _asked(window, held, edges, caller, policy)
    return _judged(held, asked, edges, policy, moved=moved, sound=sound)


def unseen(held: Standing, edges: Sequence[EdgeView], policy: Policy) -> Standing:
    """The standing after a window of which too much is missing: nothing is learned of it, and nothing judged."""
    return replace(_heard(held, edges, policy), open=None, inflow=nan, asked=nan, throughput=nan)


def _heard(held: Standing, edges: Sequence[EdgeView], policy: Policy) -> Standing:
    """The standing with what any window tells, however short it is and whatever is missing of it."""
    return replace(
        held,
        observed_at=edges[0].observed_at,
        place=edges[0].place,
        in_flight=_in_flight(held, edges, policy),
        anomalous_since=_anomalous_since(held, edges, policy),
    )


def season_of(season: Season | None, before: Standing | None, after: Standing, least: int) -> Season | None:
    """The season once an hour has ended in which at least so many windows were learned; None while it is unchanged."""
    if before is None or before.hour.hour in {after.hour.hour, -1} or before.hour.windows < least:
        return None
    return noted(season or Season(after.service), before.hour.hour, before.hour.total / before.hour.windows)


def _anomalous_since(held: Standing, edges: Sequence[EdgeView], policy: Policy) -> float:
    overload, retry = policy.overload.hold, policy.retry.hold
    bad = any(one.overloaded.lasts(overload) or one.amplified.lasts(retry) for one in edges)
    return (held.anomalous_since or edges[0].observed_at) if bad else 0.0


def _judged(
    held: Standing, window: Measured, edges: Sequence[EdgeView], policy: Policy, *, moved: float, sound: bool
) -> Standing:
    limits = policy.change
    first, completions = window.first / window.span, window.completions / window.span
    usual = Usual(
        first=moved * held.demand.location,
        requests=moved * held.demand.location / (1.0 - min(held.warm.location, _WARMEST) if held.warm.known else 1.0),
        completions=moved * held.served.location,
        spread=held.demand.scale(limits) / held.demand.location if held.demand.location > 0.0 else 0.0,
        hit_ratio=held.warm.location,
        hit_deviation=held.warm.scale(limits),
    )
    course, judgement = judge(held.course, window, usual, policy.metastable)
    steady = min(completions, held.throughput)
    higher = steady > held.peak or (isnan(held.peak) and not isnan(steady))
    # Written out, because dataclasses.replace takes three times as long and this is done for each callee and window.
    return Standing(
        service=held.service,
        domain=held.domain,
        observed_at=edges[0].observed_at,
        place=edges[0].place,
        fall=summed(held.fall, -held.served.z(completions / moved, limits), window.at, limits),
        demand=learned(held.demand, first, limits) if sound else held.demand,
        served=learned(held.served, completions, limits) if sound else held.served,
        warm=learned(held.warm, window.hit_ratio, limits) if sound else held.warm,
        learned_at=window.at if sound or not held.learned_at else held.learned_at,
        hour=_counted(held.hour, first, window.at) if sound else held.hour,
        surging=_surge(held, window, first, usual, policy),
        inflow=window.attempts / window.span,
        asked=(window.first - _CHANCE * sqrt(window.first)) / window.span,
        throughput=completions,
        peak=steady if higher else held.peak,
        saturated=any(queues(one, policy.overload) for one in edges) if higher else held.saturated,
        retries=max(held.retries, window.amplification - 1.0) if window.first else held.retries,
        in_flight=_in_flight(held, edges, policy),
        anomalous_since=_anomalous_since(held, edges, policy),
        course=course,
        judgement=judgement,
        reported=held.reported,
        told=held.told,
    )


def _surge(held: Standing, window: Measured, first: float, usual: Usual, policy: Policy) -> Surge:
    chance = policy.metastable.noise * usual.spread / sqrt(min(window.span, 1.0))
    most = usual.first * (1.0 + max(policy.metastable.flat, chance))
    if first > most:
        return Surge(held.surging.since or window.at - window.span, window.at)
    # One usual window within a surge may be chance.
    return held.surging if window.at - held.surging.last < _SURGE_ENDS else Surge()


def _counted(tally: Tally, demand: float, at: float) -> Tally:
    hour = hour_of(at)
    if tally.hour != hour:
        return Tally(hour, demand, 1)
    return Tally(hour, tally.total + demand, tally.windows + 1)


def _asked(
    window: Measured,
    held: Standing,
    edges: Sequence[EdgeView],
    caller: Callable[[str], Standing | None],
    policy: Policy,
) -> Measured:
    """The window with the requests that its calls should have come from, where calls surge and callers are known.

    Where each caller gets as many requests as usual and calls more often for each, a cache that answered is cold.
    """
    if held.warm.known:
        # A window in which nobody counted is taken for one of a warm cache.
        warm = 1.0 - min(held.warm.location, _WARMEST)
        return replace(window, requests=window.first / warm if isnan(window.hits) else window.first + window.hits)
    usual = held.demand.location
    surges = window.first > usual * window.span * (1.0 + policy.metastable.flat)
    if not surges:
        return window
    standings = [caller(edge.window.caller) for edge in edges]
    if not any(standings):
        return window
    expected = 0.0
    for edge, standing in zip(edges, standings, strict=True):
        normal = edge.baseline.first_rate
        if standing is not None and standing.demand.location > 0.0 and not isnan(normal):
            expected += normal * standing.inflow / standing.demand.location
        else:
            expected += edge.window.first / edge.window.span
    return replace(window, requests=expected * window.span) if not isnan(expected) else window


def _in_flight(held: Standing, edges: Sequence[EdgeView], policy: Policy) -> tuple[tuple[float, float], ...]:
    now = edges[0].observed_at
    kept = [one for one in held.in_flight if one[0] > now - policy.cascade.carry]
    return (*kept, (now, sum([edge.window.in_flight_max for edge in edges])))
