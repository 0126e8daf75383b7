"""A node's own judgement of how far its silence can be trusted to mean death.

A. Dadgar, J. Phillips, J. Currey: Lifeguard: local health awareness for more accurate failure detection. DSN-W 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WORST", "LocalHealth"]

WORST = 7
"""The highest score, memberlist's."""

_GOOD_BEATS_PER_POINT = 10
_BACKLOG = 0.5


@dataclass(frozen=True, slots=True)
class LocalHealth:
    """The score, 0 (well) to 7, and how many good beats in a row have been counted towards lowering it."""

    score: int = 0
    good: int = 0

    def beat(self, *, late: float, interval: float, backlog: float) -> LocalHealth:
        """The health after one more beat.

        One point is added for a beat more than an interval late (the process was not scheduled) and one for telemetry
        filling half its buffer or more; ten beats in a row with neither take one point away.

        Args:
            late: seconds between when the beat was due and when it was made.
            interval: seconds between beats.
            backlog: share of the transport's buffer in use.
        """
        points = int(late > interval) + int(backlog >= _BACKLOG)
        if points:
            return LocalHealth(min(WORST, self.score + points))
        if self.good + 1 < _GOOD_BEATS_PER_POINT:
            return LocalHealth(self.score, self.good + 1)
        return LocalHealth(max(0, self.score - 1))
