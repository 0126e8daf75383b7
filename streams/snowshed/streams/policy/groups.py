"""When a consumer group falls behind. The marks are those of `policy.policy`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GroupPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPolicy:
    """How commits and ends of partitions become a verdict on a consumer group."""

    commits: int = 10
    """Commits that are judged together; Burrow's window [F]."""
    allowed: int = 0
    """Records a group may be behind and still be OK; Burrow's 0 [F]."""
    patience: float = 5.0
    """Seconds without a commit that a STOP takes at least [P]."""
    slope_window: float = 300.0
    """Seconds over which a lag's growth is judged [P]."""
    slope_z: float = 3.0
    """Mann and Kendall's statistic above which growth is no chance [P]."""
