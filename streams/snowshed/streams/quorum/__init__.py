"""Consensus groups: whether they have a leader, and how many more failures they bear."""

from snowshed.streams.quorum.judge import QuorumHealth, QuorumStatus, judge
from snowshed.streams.quorum.member import MemberReport, Role

__all__ = ["MemberReport", "QuorumHealth", "QuorumStatus", "Role", "judge"]
