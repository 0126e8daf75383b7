"""When an executor may believe that it still has its partition; pure.

A process that was frozen finds everything as it left it, and hears only a moment later that its place has been taken.
Were it to take over in that moment, it would shut out its own successor in the middle of an action.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

__all__ = ["Trust"]

_GAP = 3.0
"""Seconds between two looks after which this process may have been frozen: half of a session."""
_SETTLES = 1.0
"""Within this the client notices by itself that its session is over."""
_DOUBT = 5.0
"""Longer than the pause between two heartbeats, by whose answer a member hears that it is one no more."""


@dataclass(slots=True)
class Trust:
    """Whether what the group said last can be relied on."""

    _looked_at: float = inf
    _doubt_until: float = -inf

    def look(self, now: float) -> None:
        """The group was given the chance to say something."""
        if now - self._looked_at > _GAP:
            self._doubt_until = max(self._doubt_until, now + _SETTLES)
        self._looked_at = now

    def shake(self, now: float) -> None:
        """Something has shown that another may have the partition."""
        self._doubt_until = max(self._doubt_until, now + _DOUBT)

    def holds(self, now: float) -> bool:
        """Whether it can be relied on now."""
        return now >= self._doubt_until
