"""Decisions from the settings that rules ask for: issued, renewed at half of their life, lifted when nobody asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from math import inf
from operator import attrgetter
from typing import NamedTuple

from snowshed.schemas.records import Consistency, ConsistencyMode, Decision
from snowshed.streams.cascade.findings import Finding, Setting
from snowshed.streams.policy import DecisionPolicy

__all__ = ["Held", "Sorted", "Wanted", "differs", "due", "issued", "lifted", "sorted_out", "tightens"]

_OFTEN = 0.5
"""Shortest time between two renewals that tell new ages."""
_LOW = ("rate_multiplier", "absolute_cap", "retry_budget", "attempt_cap", "timeout")
"""Values of which less is tighter, and none is free."""
_HIGH = ("p_reject", "degrade_level")
"""Values of which more is tighter."""
_VALUES = [item.name for item in fields(Setting) if item.name not in {"scope", "scope_kind", "kind", "rule", "reason"}]
_values = attrgetter(*_VALUES)

Wanted = tuple[Setting, Finding]
"""What an actuator should be set to, and why."""


@dataclass(frozen=True, slots=True)
class Held:
    """The newest decision of one actuator; kept after it is lifted, so that its sequence goes on."""

    decision: Decision
    rule: str

    @property
    def key(self) -> str:
        """Key on the decisions topic."""
        return f"{self.decision.scope}|{self.decision.kind.value}"


class Sorted(NamedTuple):
    """A step's findings by what they call for."""

    opening: Mapping[str, Finding]
    """Those that are worth an incident, by its state key."""
    wanted: Mapping[str, Wanted]
    """One setting an actuator, by its key: of several rates the lowest, else that of the first in the rules' order."""


def sorted_out(findings: Iterable[Finding]) -> Sorted:
    """The findings of a step, in the order of the rules, by what they call for."""
    opening: dict[str, Finding] = {}
    wanted: dict[str, Wanted] = {}
    for finding in findings:
        if finding.opens:
            opening[finding.key] = finding
        for setting in finding.settings:
            held = wanted.setdefault(setting.key, (setting, finding))
            if _or(setting.absolute_cap, inf) < _or(held[0].absolute_cap, inf):
                wanted[setting.key] = (setting, finding)
    return Sorted(opening, {key: wanted[key] for key in sorted(wanted)})


def due(held: Held | None, setting: Setting, now: float) -> bool:
    """Whether a setting has to be issued: it is new, it differs, or half of its life is over."""
    if held is None or not held.decision.active or held.decision.order_id or differs(held, setting):
        return True
    return now >= held.decision.issued_at + min(held.decision.ttl / 2, _ages_in(setting.consistency))


def differs(held: Held, setting: Setting) -> bool:
    """Whether a setting asks for something else than the decision in force; the order of preference does not count."""
    asked, given = _values(setting), _values(held.decision)
    return asked != given and [*map(_plain, asked)] != [*map(_plain, given)]


def tightens(held: Held | None, setting: Setting, now: float) -> bool:
    """Whether a setting of a service or an edge asks for more than the decision in force."""
    if held is None or not held.decision.active or now >= held.decision.issued_at + held.decision.ttl:
        return True
    before = held.decision
    return (
        any(_or(getattr(setting, name), inf) < _or(getattr(before, name), inf) for name in _LOW)
        or any(_or(getattr(setting, name), 0.0) > _or(getattr(before, name), 0.0) for name in _HIGH)
        or not {*setting.features_off} <= {*before.features_off}
    )


def issued(
    held: Held | None,
    setting: Setting,
    finding: Finding,
    *,
    decision_id: str,
    incident_id: str,
    now: float,
    policy: DecisionPolicy,
) -> Held:
    """The next decision of the actuator."""
    values = {name: getattr(setting, name) for name in _VALUES}
    decision = Decision(
        decision_id=decision_id,
        domain=finding.domain,
        scope=setting.scope,
        scope_kind=setting.scope_kind,
        kind=setting.kind,
        active=True,
        epoch=_epoch(held, setting),
        seq=held.decision.seq + 1 if held else 1,
        issued_at=now,
        ttl=policy.ttl,
        mode=policy.mode,
        reason=setting.reason,
        incident_id=incident_id,
        evidence=finding.evidence,
        confidence=finding.confidence,
        **values,
    )
    return Held(decision, setting.rule)


def lifted(held: Held, *, decision_id: str, now: float) -> Held:
    """The decision that takes back the one in force."""
    decision = replace(
        held.decision,
        decision_id=decision_id,
        active=False,
        epoch=held.decision.epoch + bool(held.decision.order_id),
        seq=held.decision.seq + 1,
        issued_at=now,
        reason=f"no longer needed: {held.decision.reason}",
        order_id="",
    )
    return replace(held, decision=decision)


def _ages_in(consistency: Consistency | None) -> float:
    """Seconds in which the ages that a decision tells become so much too high that answers are refused for it."""
    if consistency is None or not consistency.ages or consistency.bound is None:
        return inf
    return max(_OFTEN, consistency.bound / 4.0)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _plain(value: object) -> object:
    """The value without what changes all the time: the order of preference, and ages, which grow with the clock."""
    if not isinstance(value, Consistency):
        return value
    return replace(value, prefer=tuple(sorted(value.prefer)), ages=())


def _epoch(held: Held | None, setting: Setting) -> int:
    """The epoch grows with each new fence, so that a store can tell writes from before it by their token."""
    if held is None:
        return 1
    before = _fenced(held.decision.consistency) if held.decision.active else set[str]()
    released = bool(held.decision.order_id)
    return held.decision.epoch + released + bool(_fenced(setting.consistency) - before)


def _fenced(consistency: Consistency | None) -> set[str]:
    """The servers that take no writes."""
    if consistency is None or consistency.mode is not ConsistencyMode.FENCE:
        return set()
    return set(consistency.avoid)
