"""The decisions a process knows of and how strongly each still holds; pure.

Rules:

1. Per scope and kind the highest (epoch, seq) wins; anything lower or equal changes nothing.
2. A decision holds for its ttl, counted from its arrival on the reader's own clock less the age it arrived with.
3. After that it fades linearly to nothing over one more ttl. It never ends abruptly and never holds for ever.
4. Lifting a decision fades it the same way, from the moment the lift arrives.
5. A reader that has not been current for a ttl treats everything it holds as expired (`control plane lost`).
6. A fence ends only by an explicit higher decision: neither time nor a lost control plane may open it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from snowshed.schemas.records import ConsistencyMode, Decision, DecisionKind

__all__ = ["DecisionBook", "Entry", "InForce", "Order"]

Order = tuple[int, int]
"""Epoch and sequence number."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A decision that acts now."""

    decision: Decision
    strength: float
    """1 while it holds, falling to 0 as it fades."""
    age: float
    """Seconds since it was issued, as far as the reader can tell."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The newest word on one scope and kind."""

    decision: Decision
    """The newest, active or not."""
    acting: Decision | None
    """The last active one, also while it fades after its lift; None when none was ever seen."""
    since: float
    """Monotonic time from which the acting decision's ttl counts."""
    lifted_at: float | None = None

    @property
    def order(self) -> Order:
        """What a newer decision must exceed."""
        return self.decision.epoch, self.decision.seq

    def strength(self, now: float, current_at: float) -> float:
        """How strongly the acting decision holds, 0 to 1, for a reader that was last current at `current_at`."""
        if self.acting is None:
            return 0.0
        if _is_fence(self.acting):
            return float(self.lifted_at is None)
        ttl = self.acting.ttl
        expired = _fade(min(self.since, current_at) + ttl, ttl, now)
        return expired if self.lifted_at is None else min(expired, _fade(self.lifted_at, ttl, now))


@dataclass(frozen=True, slots=True)
class DecisionBook:
    """An immutable snapshot of all decisions; applying one returns the next snapshot."""

    entries: Mapping[str, Mapping[DecisionKind, Entry]] = field(default_factory=lambda: MappingProxyType({}))

    def apply(self, decision: Decision, now: float, age: float = 0.0) -> DecisionBook:
        """The book after this decision has arrived, `age` seconds old; the same book when it changes nothing."""
        of_scope = self.entries.get(decision.scope, {})
        held = of_scope.get(decision.kind)
        if held is not None and held.order >= (decision.epoch, decision.seq):
            return self
        entry = _successor(held, decision, now, age)
        return DecisionBook({**self.entries, decision.scope: {**of_scope, decision.kind: entry}})

    def in_force(self, scope: str, now: float, current_at: float) -> tuple[InForce, ...]:
        """What acts on a scope now, in the order of the kinds."""
        of_scope = self.entries.get(scope)
        if not of_scope:
            return ()
        found = (_in_force(of_scope[kind], now, current_at) for kind in DecisionKind if kind in of_scope)
        return tuple(held for held in found if held is not None)

    def newest(self, scope: str) -> Order | None:
        """The highest (epoch, seq) known for a scope; None when there was never a decision."""
        return max((entry.order for entry in self.entries.get(scope, {}).values()), default=None)


def _successor(held: Entry | None, decision: Decision, now: float, age: float) -> Entry:
    if decision.active:
        return Entry(decision, decision, now - age)
    if held is None:
        return Entry(decision, None, now - age)
    lifted_at = now - age if held.lifted_at is None else held.lifted_at
    return Entry(decision, held.acting, held.since, lifted_at)


def _in_force(entry: Entry, now: float, current_at: float) -> InForce | None:
    strength = entry.strength(now, current_at)
    if entry.acting is None or strength <= 0.0:
        return None
    return InForce(entry.acting, strength, now - entry.since)


def _fade(start: float, duration: float, now: float) -> float:
    """1 until `start`, then linearly to 0 over `duration`."""
    if now <= start:
        return 1.0
    return max(0.0, 1.0 - (now - start) / duration) if duration > 0 else 0.0


def _is_fence(decision: Decision) -> bool:
    return decision.consistency is not None and decision.consistency.mode is ConsistencyMode.FENCE
