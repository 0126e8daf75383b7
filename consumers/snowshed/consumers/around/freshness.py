"""Which held answers may be served now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from snowshed.consumers.around.answers import Answer
from snowshed.consumers.around.staleness import allowed_staleness
from snowshed.consumers.guard import Guard
from snowshed.schemas.errors import ConfigurationError

__all__ = ["Cached", "Freshness"]

_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Cached(Generic[_V]):
    """An answer and how old it may be."""

    value: _V
    age: float
    """Seconds since it was asked for: what it says was true no earlier."""
    stale: bool
    """Whether it is older than it should be, and is served because a decision allows it or nothing newer was had."""


class Freshness:
    """Judges by age, and only beyond `ttl` by what is in force for the guard's scope."""

    def __init__(self, guard: Guard, ttl: float, bound: float, clock: Callable[[], float]) -> None:
        if not 0.0 <= ttl <= bound:
            raise ConfigurationError(
                f"cache of {guard.scope}: ttl is {ttl} and bound {bound}; give 0 <= ttl <= bound, in seconds"
            )
        self._guard = guard
        self._ttl = ttl
        self._bound = bound
        self.clock = clock

    def cached(self, answer: Answer[_V]) -> Cached[_V]:
        """The answer with its age."""
        age = self.clock() - answer.asked_at
        return Cached(answer.value, age, age > self._ttl)

    def unasked(self, answer: Answer[_V] | None) -> Cached[_V] | None:
        """The answer if nobody need be asked."""
        if answer is None:
            return None
        cached = self.cached(answer)
        if not cached.stale:
            return cached
        return cached if cached.age <= allowed_staleness(self._guard.effective, self._bound).unasked else None

    def unanswered(self, answer: Answer[_V] | None) -> Cached[_V] | None:
        """The answer if it may stand in for one that was not to be had."""
        if answer is None:
            return None
        cached = self.cached(answer)
        return cached if cached.age <= allowed_staleness(self._guard.effective, self._bound).unanswered else None
