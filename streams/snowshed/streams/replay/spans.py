"""What a replay came to as spans of time: each incident, and each decision from when it is taken until it ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from snowshed.schemas.records import Decision, DecisionMode, Incident

__all__ = ["Span", "spans_of"]

_SETTINGS = (
    "rate_multiplier",
    "absolute_cap",
    "per_instance_fallback",
    "retry_budget",
    "attempt_cap",
    "timeout",
    "p_reject",
    "degrade_level",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An incident, or a decision with all of its renewals."""

    what: Literal["incident", "decision"]
    kind: str
    subject: str
    """What the incident is about, or the decision's scope."""
    begun: float
    ended: float | None
    """None where it had not ended when the recording did."""
    setting: str = ""
    """What a decision set last."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Spans with the same key can be the same under another policy."""
        return self.what, self.kind, self.subject


def spans_of(incidents: Iterable[Incident], decisions: Iterable[Decision]) -> tuple[Span, ...]:
    """The spans of a replay, in the order in which they begin.

    Args:
        incidents: each in its last form.
        decisions: all, renewals included.
    """
    found = [_incident(each) for each in incidents]
    scopes: defaultdict[tuple[str, str], list[Decision]] = defaultdict(list)
    for decision in decisions:
        scopes[decision.kind.value, decision.scope].append(decision)
    for own in scopes.values():
        found += _decided(sorted(own, key=lambda each: each.issued_at))
    return tuple(sorted(found, key=lambda span: (span.begun, *span.key)))


def _incident(incident: Incident) -> Span:
    return Span(
        what="incident",
        kind=incident.kind.value,
        subject=incident.subject,
        begun=incident.opened_at,
        ended=incident.closed_at,
    )


def _decided(decisions: Sequence[Decision]) -> Iterator[Span]:
    """The spans of one actuator of one scope: a lifted or expired decision that is taken again begins a new one."""
    span: Span | None = None
    expires = 0.0
    for decision in decisions:
        at = decision.issued_at
        if span is not None and at > expires:
            yield replace(span, ended=expires)
            span = None
        if not decision.active:
            if span is not None:
                yield replace(span, ended=at)
            span = None
            continue
        begun = span.begun if span is not None else at
        span, expires = _active(decision, begun), at + decision.ttl
    if span is not None:
        yield span


def _active(decision: Decision, begun: float) -> Span:
    return Span(
        what="decision",
        kind=decision.kind.value,
        subject=decision.scope,
        begun=begun,
        ended=None,
        setting=", ".join(_settings(decision)),
    )


def _settings(decision: Decision) -> Iterator[str]:
    if decision.mode is DecisionMode.SHADOW:
        yield "shadow"
    for name in _SETTINGS:
        if (value := getattr(decision, name)) is not None:
            yield f"{name.replace('_', ' ')} {value:.3g}"
    if decision.consistency is not None:
        yield f"{decision.consistency.mode.value}, avoid {' and '.join(decision.consistency.avoid) or 'nobody'}"
