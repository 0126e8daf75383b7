"""How long a worker that keeps dying waits for its next life."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Backoff"]

_SHORTEST = 1.0
_LONGEST = 30.0
_STEADY = 60.0
"""Seconds of life after which earlier deaths are forgotten."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """A pause that doubles from 1 s to 30 s with each death that follows a life of less than a minute."""

    deaths: int = 0
    """Deaths in a row, each after a short life but for the first."""

    def after(self, lived: float) -> Backoff:
        """The back-off once a life of so many seconds has ended."""
        return Backoff(1 if lived >= _STEADY else self.deaths + 1)

    @property
    def seconds(self) -> float:
        """The pause before the next start."""
        pause = 0.0 if self.deaths == 0 else _SHORTEST
        for _ in range(1, self.deaths):
            pause *= 2
            if pause >= _LONGEST:
                return _LONGEST
        return pause
