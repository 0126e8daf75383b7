"""What a worker knows of its place in the consumer group, and from when on it may say that it takes part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

__all__ = ["Enrolment"]

_IDLE_AFTER = 10.0
"""Seconds without an assignment after which a member has nothing to do for now.

Under KIP-848 a member for whom there is no partition is told nothing at all. One for whom another has to give some up
is told within two heartbeats (5 s each by default): the other's, and its own.
"""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One worker's place in its group; times are monotonic seconds."""

    member_id: str = ""
    """Empty before the first join and after the group was left."""
    waiting_since: float | None = None
    """Since when the group owes us an assignment; None once it has given one, which may be empty."""

    def named(self, member_id: str, now: float) -> Self:
        """The group knows us by this id; one that is new makes us wait for an assignment."""
        if member_id == self.member_id:
            return self
        return replace(self, member_id=member_id, waiting_since=now)

    def assigned(self) -> Self:
        """The group has said what is ours."""
        return self if self.waiting_since is None else replace(self, waiting_since=None)

    def lost(self, now: float) -> Self:
        """The group has given away what was ours, and will say anew what is."""
        return replace(self, waiting_since=now)

    def settled(self, now: float) -> bool:
        """Whether the partitions we hold are those we are to have, as far as a member can know."""
        if not self.member_id:
            return False
        return self.waiting_since is None or now - self.waiting_since >= _IDLE_AFTER
