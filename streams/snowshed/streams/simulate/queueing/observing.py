"""Who is told of every attempt, so that telemetry can be made of it."""

from __future__ import annotations

from typing import Protocol

from snowshed.producers.outcome import Outcome
from snowshed.streams.simulate.queueing.fleet import Link

__all__ = ["Attempt", "Observer"]


class Attempt:
    """One attempt of a call."""

    __slots__ = ("busy", "caller", "number", "replica", "sent", "unheard", "waited")

    def __init__(self, caller: int, number: int, sent: float, busy: int) -> None:
        self.caller = caller
        """The caller's replica."""
        self.number = number
        """0 for the first attempt."""
        self.sent = sent
        self.busy = busy
        """Attempts that the callers wait for, this one among them."""
        self.replica = 0
        """The callee's, once known."""
        self.waited = 0.0
        """Seconds in the callee's queue."""
        self.unheard = False
        """Whether the answer is lost on its way."""


class Observer(Protocol):
    """Is told of each attempt that has ended; the moment may lie ahead of the simulation's."""

    def called(self, link: Link, attempt: Attempt, ended: float, outcome: Outcome) -> None:
        """The caller has an outcome."""
        ...

    def served(self, link: Link, attempt: Attempt, ended: float, outcome: Outcome) -> None:
        """The callee has done its part, whether or not anybody still waits."""
        ...
