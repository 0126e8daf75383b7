"""Whether a consensus group can commit, from the answers of those members that answer.

A group of N voters needs a majority, N // 2 + 1. What a member says of itself proves nothing about the others: a server
that answers at all may serve nobody, a leader that was cut off may not know it yet, and a member that does not answer
may be well. So a quorum counts as lost only when the members that cannot take part leave no majority to the rest, and
as present only when a leader of the newest term has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from snowshed.schemas.members import MemberReport, Role

__all__ = ["QuorumHealth", "QuorumStatus", "judge"]


class QuorumStatus(Enum):
    """State of a consensus group, from good to bad."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """Fewer failures can be borne than the group is built for, but one still can."""
    UNKNOWN = "unknown"
    """Too few members answer to tell."""
    CRITICAL = "critical"
    """The next failure loses the quorum."""
    LOST = "lost"
    SPLIT = "split"
    """Two members lead in one term."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumHealth:
    """How the group stands."""

    status: QuorumStatus
    leaders: tuple[str, ...]
    """Members that lead in the newest term; one in a sound group."""
    voters: int
    in_sync: int
    """Voters known to keep up with the leader, itself included."""
    tolerates: int
    """Further failures after which a majority is left; negative once it is lost."""
    pending: int | None
    stale: tuple[str, ...]
    """Members whose answer is old or of an older term: what they say is not used."""
    silent: tuple[str, ...]
    """Voters without an answer."""
    inside: tuple[str, ...]
    """Voters that are known to take part in the majority: its one leader and who follows it."""


def judge(voters: Sequence[str], reports: Iterable[MemberReport], *, now: float, patience: float) -> QuorumHealth:
    """How a group of these voters stands at `now`.

    Args:
        voters: names of all voting members.
        reports: the newest answer of each member that ever answered.
        now: seconds since the Unix epoch.
        patience: seconds after which an answer is old.
    """
    answers = [report for report in reports if report.member in voters]
    fresh = [report for report in answers if now - report.at <= patience]
    newest = max((report.term for report in fresh if report.term is not None), default=None)
    current = [report for report in fresh if report.term is None or report.term == newest]
    leading = [report for report in current if report.role is Role.LEADER]
    in_sync = _in_sync(current, leading)
    majority = len(voters) // 2 + 1
    return QuorumHealth(
        status=_status(len(voters), leading, in_sync, out=_out(current)),
        leaders=tuple(sorted(report.member for report in leading)),
        voters=len(voters),
        in_sync=in_sync,
        tolerates=in_sync - majority,
        pending=leading[0].pending if len(leading) == 1 else None,
        stale=tuple(sorted({report.member for report in answers} - {report.member for report in current})),
        silent=tuple(sorted(set(voters) - {report.member for report in answers})),
        inside=_inside(current, leading) if in_sync >= majority else (),
    )


def _in_sync(current: Sequence[MemberReport], leading: Sequence[MemberReport]) -> int:
    """The leader's own count where it gives one: it alone knows who acknowledges."""
    if not leading:
        return 0
    claims = [report.in_sync for report in leading if report.in_sync is not None]
    if claims:
        return max(claims)
    return len(leading) + len(_following(current, leading))


def _following(current: Sequence[MemberReport], leading: Sequence[MemberReport]) -> list[MemberReport]:
    names = {report.member for report in leading}
    followers = [report for report in current if report.role is Role.FOLLOWER]
    return [report for report in followers if report.leader is None or report.leader in names]


def _inside(current: Sequence[MemberReport], leading: Sequence[MemberReport]) -> tuple[str, ...]:
    if len(leading) != 1:
        return ()
    return tuple(sorted(report.member for report in (*leading, *_following(current, leading))))


def _out(current: Sequence[MemberReport]) -> int:
    """Voters that answer and take no part."""
    return sum(report.role is Role.NONE for report in current)


def _status(voters: int, leading: Sequence[MemberReport], in_sync: int, *, out: int) -> QuorumStatus:
    majority = voters // 2 + 1
    if len(leading) > 1:
        return QuorumStatus.SPLIT
    if voters - out < majority:
        return QuorumStatus.LOST
    if not leading:
        return QuorumStatus.UNKNOWN
    if in_sync < majority:
        return QuorumStatus.LOST if leading[0].in_sync is not None else QuorumStatus.UNKNOWN
    if in_sync == voters:
        return QuorumStatus.HEALTHY
    return QuorumStatus.DEGRADED if in_sync > majority else QuorumStatus.CRITICAL
