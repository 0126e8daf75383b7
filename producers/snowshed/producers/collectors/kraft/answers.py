"""How the leader of Kafka's quorum (KRaft) sees each voter, and the reports that follow from it.

Only the leader tells, and it tells of all voters. Its own entry is stamped when it answers, so how old another's is
follows from the leader's clock alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snowshed.schemas.members import MemberReport, Role

__all__ = ["KRaftQuorum", "KRaftReplica", "from_kraft"]

_PARTS = frozenset({Role.LEADER, Role.FOLLOWER})


@dataclass(frozen=True, slots=True, kw_only=True)
class KRaftReplica:
    """A voter as the leader describes it; times are seconds since the Unix epoch, negative if never."""

    node: int
    end: int
    """Its log's end offset."""
    fetched: float
    """When it last asked the leader for more."""
    caught_up: float
    """When it last had all that the leader had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KRaftQuorum:
    """An answer to `DescribeQuorum`."""

    leader: int
    epoch: int
    committed: int
    """Up to which offset a majority has the log."""
    voters: tuple[KRaftReplica, ...]


def from_kraft(quorum: KRaftQuorum, *, at: float, patience: float) -> Sequence[MemberReport]:
    """The reports of the voters of which the leader can tell.

    A leader with a majority knows who is not in it. One without knows nothing of the others: it may have been elected
    just now and not have heard of them yet, or be cut off while they follow a newer one.

    Args:
        quorum: the leader's answer.
        at: when it came, seconds since the Unix epoch.
        patience: seconds without having caught up after which a voter takes no part.
    """
    now = max((voter.fetched for voter in quorum.voters), default=0.0)
    end = max((voter.end for voter in quorum.voters), default=0)
    roles = {voter.node: _role(voter, quorum.leader, now - patience) for voter in quorum.voters}
    count = sum(role in _PARTS for role in roles.values())
    told = count > len(quorum.voters) // 2
    return [
        MemberReport(
            member=str(voter.node),
            at=at,
            role=role,
            term=quorum.epoch,
            position=voter.end,
            in_sync=count if role is Role.LEADER and told else None,
            pending=max(end - quorum.committed, 0) if role is Role.LEADER else None,
            behind=max(end - voter.end, 0),
            unheard=max(now - voter.fetched, 0.0),
        )
        for voter in quorum.voters
        if (role := roles[voter.node]) is not None and (told or role in _PARTS)
    ]


def _role(voter: KRaftReplica, leader: int, since: float) -> Role | None:
    """What the voter does, where the leader can tell: it caught up since then, or was heard and did not."""
    if voter.node == leader:
        return Role.LEADER
    if voter.caught_up >= since:
        return Role.FOLLOWER
    heard = voter.caught_up if voter.caught_up >= 0.0 else voter.fetched
    return Role.NONE if 0.0 <= heard < since else None
