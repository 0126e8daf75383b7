"""What a callee has said of its queue brake, so that a call which it would shed is not sent; pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from snowshed.schemas.propagation import LOWEST_PRIORITY

__all__ = ["CalleeCursor", "CalleeCursorOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalleeCursorOptions:
    """How long a callee's word holds."""

    ttl: float = 1.0
    """Seconds; then calls are sent again, and their answers tell anew."""


class CalleeCursor:
    """Refuses priorities below the cursor that the callee's last answer advertised.

    Instances of a callee may say different things; the last one counts, and not for long.
    """

    __slots__ = ("_ttl", "_until", "cursor")

    def __init__(self, options: CalleeCursorOptions) -> None:
        self._ttl = options.ttl
        self._until = -inf
        self.cursor = LOWEST_PRIORITY
        """What was heard last; priorities up to it need not ask `refuses`."""

    def hear(self, cursor: int, now: float) -> None:
        """The callee's answer has told its cursor; LOWEST_PRIORITY when it sheds nothing."""
        self.cursor = max(0, min(cursor, LOWEST_PRIORITY))
        self._until = now + self._ttl

    def refuses(self, level: int, now: float) -> bool:
        """Whether a call of this priority is not sent."""
        return level > self.cursor and now < self._until
