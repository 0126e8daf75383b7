"""Voters of Kafka's own quorum (KRaft) as reports: the values of its `DescribeQuorum`, however they were had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snowshed.schemas.members import MemberReport, Role

__all__ = ["KRaftQuorum", "KRaftReplica", "from_kraft"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KRaftReplica:
    """A voter as Kafka's quorum leader describes it."""

    node: int
    end: int
    """Its log's end offset."""
    caught_up: float
    """When it last had all that the leader had, seconds since the Unix epoch; negative if never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KRaftQuorum:
    """An answer to `DescribeQuorum`."""

    leader: int
    """Node id of the leader; -1 while there is none."""
    epoch: int
    voters: tuple[KRaftReplica, ...]


def from_kraft(quorum: KRaftQuorum, *, at: float, patience: float) -> Sequence[MemberReport]:
    """The reports of all voters, as the leader gives them; a voter not caught up for `patience` takes no part."""
    keeping_up = {voter.node for voter in quorum.voters if at - voter.caught_up <= patience} | {quorum.leader}
    count = sum(voter.node in keeping_up for voter in quorum.voters)
    return [
        MemberReport(
            member=str(voter.node),
            at=at,
            role=_kraft_role(voter.node, quorum.leader, keeping_up),
            term=quorum.epoch,
            position=voter.end,
            in_sync=count if voter.node == quorum.leader else None,
        )
        for voter in quorum.voters
    ]


def _kraft_role(node: int, leader: int, keeping_up: set[int]) -> Role:
    if node == leader:
        return Role.LEADER
    return Role.FOLLOWER if leader >= 0 and node in keeping_up else Role.NONE
