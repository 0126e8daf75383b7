"""Consensus groups: whether they have a leader, and how many more failures they bear."""

from snowshed.schemas.members import MemberReport, Role
from snowshed.streams.quorum.judge import QuorumHealth, QuorumStatus, judge

__all__ = ["MemberReport", "QuorumHealth", "QuorumStatus", "Role", "judge"]
