"""etcd's answer to `Status` as a report (etcd's API, Maintenance service, in the JSON of its gRPC gateway)."""

from __future__ import annotations

import json
from typing import Any, cast

from snowshed.schemas.members import MemberReport, Role

__all__ = ["from_status"]


def from_status(member: str, body: bytes, at: float) -> MemberReport:
    """The report in an answer; a member that knows no leader takes no part.

    Raises:
        ValueError: the body is no such answer.
    """
    answer = json.loads(body)
    if not isinstance(answer, dict) or "header" not in answer:
        raise ValueError(f"{member} answered something else than etcd's status: is its client port meant?")
    status = cast(dict[str, Any], answer)
    # The gateway leaves out what is 0 and writes 64-bit numbers as strings.
    own, leader = int(status["header"].get("member_id", 0)), int(status.get("leader", 0))
    return MemberReport(
        member=member,
        at=at,
        role=_role(own, leader, learner=bool(status.get("isLearner"))),
        term=int(status.get("raftTerm", 0)),
        position=int(status.get("raftIndex", 0)),
    )


def _role(own: int, leader: int, *, learner: bool) -> Role:
    if learner:
        return Role.OBSERVER
    if leader == 0:
        return Role.NONE
    return Role.LEADER if leader == own else Role.FOLLOWER
