"""What one member of a consensus group says of itself, whatever system it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["MemberReport", "Role"]


class Role(Enum):
    """What a member of a consensus group takes itself for."""

    LEADER = "leader"
    FOLLOWER = "follower"
    OBSERVER = "observer"
    """It copies and does not vote."""
    NONE = "none"
    """It looks for a leader or serves nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberReport:
    """The answer of one member of a consensus group, whatever system it belongs to."""

    member: str
    at: float
    """When it answered, seconds since the Unix epoch."""
    role: Role
    term: int | None = None
    """Epoch or term it is in; None if it does not say."""
    position: int | None = None
    """How far its log has come; None if it does not say."""
    leader: str | None = None
    """Whom it follows; None if it does not say."""
    in_sync: int | None = None
    """As a leader: voters that keep up, itself included; None if it does not say."""
    pending: int | None = None
    """As a leader: proposals and followers that wait; None if it does not say."""
    behind: int | None = None
    """Records that the leader has and it has not, as the leader says; None if nobody does."""
    unheard: float | None = None
    """Seconds since the leader last heard from it; None if nobody says."""
