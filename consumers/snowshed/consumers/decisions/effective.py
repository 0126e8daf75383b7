"""What the decisions in force add up to for one scope; pure.

Several decisions on one scope, or on a service and an edge into it, combine to the strictest of each setting. A fading
decision of strength s is weaker in proportion: its setting moves linearly towards what holds without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import ceil, inf, isnan

from snowshed.consumers.brakes.degrade import LEVELS, degrade_level, priority
from snowshed.consumers.brakes.retry_budget import LOCAL_RATIO
from snowshed.consumers.decisions.book import InForce, Order
from snowshed.schemas.propagation import COHORTS, LOWEST_PRIORITY
from snowshed.schemas.records import Consistency, Decision, DecisionKind, DecisionMode

__all__ = ["Effective", "combine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """The settings of every brake for one scope at one moment; the defaults are what holds without any decision."""

    scope: str
    decisions: tuple[InForce, ...] = ()
    """What it is made of."""
    retry_budget: float = LOCAL_RATIO
    """Retries as a fraction of first attempts."""
    retry_floor: float = 1.0
    """How much of the floor for callers with little traffic applies, 0 to 1."""
    attempt_cap: int | None = None
    """Attempts including the first."""
    timeout: float | None = None
    degrade_level: int = 0
    lowest_priority: int = LOWEST_PRIORITY
    """The lowest priority still admitted, 0 to 511."""
    p_reject: float = 0.0
    features_off: frozenset[str] = frozenset()
    """Features that are to be left out; `feature` asks for one."""
    consistency: Consistency | None = None
    newest: Order | None = None
    """The highest (epoch, seq) known for the scope, in force or not."""
    age: float | None = None
    """Seconds since the youngest decision in force was issued; None without one."""
    stale: bool = False
    """Whether the reader has lost touch with the control plane and holds on to fading decisions."""
    shadow: Effective | None = None
    """What the decisions that are only to be counted add up to; None without any."""

    @property
    def decision_ids(self) -> tuple[str, ...]:
        """The decisions in force."""
        return tuple(held.decision.decision_id for held in self.decisions)

    @property
    def limits_rate(self) -> bool:
        """Whether a decision about the rate is in force."""
        return any(_about_rate(held.decision) for held in self.decisions)

    def feature(self, name: str) -> bool:
        """Whether a feature is on, as the policy names it; what no decision names is."""
        return name not in self.features_off

    def rate_limit(self, baseline: float | None) -> float:
        """Calls per second for a process that admitted `baseline` before the incident; inf without a limit.

        The multiplier applies to the process's own rate from before, which is its share of the fleet's. A process that
        knows no such rate takes the precomputed fallback, and without one no limit: never the whole fleet's cap.
        """
        return min((_rate_limit(held, baseline) for held in self.decisions if _about_rate(held.decision)), default=inf)

    def decision_id(self, acts: Callable[[Decision], bool]) -> str:
        """The first decision in force for which `acts` holds, empty when there is none."""
        return next((held.decision.decision_id for held in self.decisions if acts(held.decision)), "")


def combine(scope: str, in_force: Iterable[InForce], *, newest: Order | None, stale: bool) -> Effective:
    """The settings that these decisions add up to."""
    by_mode: dict[DecisionMode, list[InForce]] = {DecisionMode.ENFORCE: [], DecisionMode.SHADOW: []}
    for held in in_force:
        by_mode[held.decision.mode].append(held)
    shadowed = by_mode[DecisionMode.SHADOW]
    shadow = _settings(scope, tuple(shadowed), newest, None, stale=stale) if shadowed else None
    return _settings(scope, tuple(by_mode[DecisionMode.ENFORCE]), newest, shadow, stale=stale)


def _settings(
    scope: str, held: tuple[InForce, ...], newest: Order | None, shadow: Effective | None, *, stale: bool
) -> Effective:
    if not held:
        return Effective(scope=scope, newest=newest, shadow=shadow, stale=stale)
    level = max((ceil(level * s) for level, s in _given(held, lambda d: d.degrade_level, len(LEVELS) - 1)), default=0)
    return Effective(
        scope=scope,
        decisions=held,
        retry_budget=_retry_budget(held, level),
        retry_floor=1.0 - max((one.strength for one in held if _about_retries(one.decision)), default=0.0),
        attempt_cap=min((int(max(1.0, cap) / s) for cap, s in _given(held, lambda d: d.attempt_cap)), default=None),
        timeout=min((timeout / s for timeout, s in _given(held, lambda d: d.timeout)), default=None),
        degrade_level=level,
        lowest_priority=_lowest_priority(held, level),
        p_reject=max((p * s for p, s in _given(held, lambda d: d.p_reject, 1.0)), default=0.0),
        features_off=frozenset(name for one in held for name in one.decision.features_off),
        consistency=_consistency(held),
        newest=newest,
        age=min(one.age for one in held),
        stale=stale,
        shadow=shadow,
    )


def _given(
    held: Iterable[InForce], setting: Callable[[Decision], float | None], most: float = inf
) -> Iterator[tuple[float, float]]:
    """The values that decisions give for a setting, each with its strength; nonsense is passed over."""
    for one in held:
        value = setting(one.decision)
        if value is not None and not isnan(value):
            yield min(max(0.0, value), most), one.strength


def _retry_budget(held: tuple[InForce, ...], level: int) -> float:
    decided = (s * ratio + (1.0 - s) * LOCAL_RATIO for ratio, s in _given(held, lambda d: d.retry_budget))
    left = degrade_level(level).retry_budget
    return min(min(decided, default=LOCAL_RATIO), inf if left is None else left)


def _lowest_priority(held: tuple[InForce, ...], level: int) -> int:
    by_level = priority(degrade_level(level).lowest, COHORTS - 1)
    floors = (
        LOWEST_PRIORITY - one.strength * (LOWEST_PRIORITY - priority(floor.level, floor.cohort))
        for one in held
        if (floor := one.decision.priority_floor) is not None
    )
    return int(min(by_level, min(floors, default=LOWEST_PRIORITY)))


def _consistency(held: tuple[InForce, ...]) -> Consistency | None:
    return next((one.decision.consistency for one in held if one.decision.kind is DecisionKind.CONSISTENCY), None)


def _about_retries(decision: Decision) -> bool:
    return decision.retry_budget is not None or bool(decision.degrade_level)


def _about_rate(decision: Decision) -> bool:
    return decision.rate_multiplier is not None or decision.per_instance_fallback is not None


def _rate_limit(held: InForce, baseline: float | None) -> float:
    target = _rate_target(held.decision, baseline)
    if target == inf:
        return inf
    # What fades must end in no limit: a rate from before that has grown since would else be held to its last moment.
    fading = target / held.strength
    return fading if baseline is None else max(fading, target + (1.0 - held.strength) * max(0.0, baseline - target))


def _rate_target(decision: Decision, baseline: float | None) -> float:
    multiplier, cap, fallback = decision.rate_multiplier, decision.absolute_cap, decision.per_instance_fallback
    if multiplier is not None and baseline is not None and 0 <= multiplier < inf:
        return min(multiplier * baseline, cap if cap is not None and cap >= 0 else inf)
    return fallback if fallback is not None and fallback >= 0 else inf
