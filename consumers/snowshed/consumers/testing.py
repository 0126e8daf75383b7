"""For the tests of programs that embed a Guard: decisions without Kafka, a clock that stands still, forced refusals."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from snowshed.consumers.admission.controls import Controls
from snowshed.consumers.admission.decided import Brake, Refusal
from snowshed.consumers.decisions.view import DecisionView
from snowshed.consumers.guard import Guard, GuardEvent
from snowshed.consumers.local import LocalBrakes
from snowshed.schemas.records import Decision, DecisionKind, ScopeKind

__all__ = [
    "FakeClock",
    "InMemoryView",
    "decision",
    "force_refusal",
    "hand_clocked_guard",
    "in_memory_view",
    "set_decisions",
]


class FakeClock:
    """A clock that moves only when told to; call it for the present."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The present."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += seconds


class InMemoryView(DecisionView):
    """A view that is fed by hand."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lost_at: float | None = None
        super().__init__(lambda: clock() if self._lost_at is None else self._lost_at, clock=clock)

    def lose_contact(self) -> None:
        """From now on nothing is heard of the control plane."""
        self._lost_at = self.clock()

    def regain_contact(self) -> None:
        """The control plane is heard of again."""
        self._lost_at = None


def in_memory_view(*decisions: Decision, clock: Callable[[], float] = time.monotonic) -> InMemoryView:
    """A view that holds these decisions as if they had just arrived."""
    view = InMemoryView(clock)
    for one in decisions:
        view.apply(one)
    return view


def decision(scope: str, kind: DecisionKind, *, seq: int = 1, ttl: float = 10.0, **fields: Any) -> Decision:
    """A decision with defaults for everything but its point."""
    defaults: dict[str, Any] = {
        "decision_id": uuid4().hex,
        "domain": "test",
        "scope_kind": ScopeKind.SERVICE,
        "active": True,
        "epoch": 1,
        "issued_at": time.time(),
        "reason": "for a test",
        "confidence": 1.0,
    }
    return Decision(scope=scope, kind=kind, seq=seq, ttl=ttl, **{**defaults, **fields})


def hand_clocked_guard(
    scope: str, *, local: LocalBrakes | None = None, on_event: Callable[[GuardEvent], None] | None = None
) -> tuple[Guard, FakeClock]:
    """A guard without decisions and chance, and the clock by which it goes."""
    clock = FakeClock()
    options = LocalBrakes() if local is None else local
    listener = on_event or _ignore
    guard = Guard(
        scope, view=in_memory_view(clock=clock), local=options, clock=clock, rng=lambda: 0.5, on_event=listener
    )
    return guard, clock


def _ignore(_event: GuardEvent) -> None:
    """The listener of those who do not care."""


@contextmanager
def force_refusal(guard: Guard, brake: Brake, *, retry_after: float = 1.0) -> Generator[None]:
    """Inside the block the guard refuses every call that is not exempt, as if by this brake."""
    real = guard.controls
    guard.controls = refusing = _Refusing(real, Refusal(brake, "for a test", retry_after))
    try:
        yield
    finally:
        refusing.copy_to(real)
        guard.controls = real


class _Refusing(Controls):
    """Controls that share everything with the real ones but what they answer."""

    __slots__ = ("_refusal",)

    def __init__(self, real: Controls, refusal: Refusal) -> None:
        _copy(real, self)
        self._refusal = refusal

    def copy_to(self, real: Controls) -> None:
        """Hands back what has changed in the meantime."""
        _copy(self, real)

    def refuse(self, *_call: object) -> Refusal | None:
        """The refusal, whatever the call."""
        return self._refusal


def _copy(source: Controls, target: Controls) -> None:
    for name in Controls.__slots__:
        setattr(target, name, getattr(source, name))


@contextmanager
def set_decisions(guard: Guard, *decisions: Decision) -> Generator[InMemoryView]:
    """Inside the block the guard obeys these decisions and no others; the view it yields takes more."""
    before = guard.view
    view = in_memory_view(*decisions)
    guard.view = view
    try:
        yield view
    finally:
        guard.view = before
