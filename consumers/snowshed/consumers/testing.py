"""For the tests of programs that embed a Guard: decisions without Kafka, and a clock that stands still."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from snowshed.consumers.guard import Guard
from snowshed.consumers.view import DecisionView
from snowshed.schemas.records import Decision, DecisionKind, ScopeKind

__all__ = ["FakeClock", "InMemoryView", "decision", "in_memory_view", "set_decisions"]


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
