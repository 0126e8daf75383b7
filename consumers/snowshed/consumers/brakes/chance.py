"""How long requests wait by chance alone; pure."""

from __future__ import annotations

from math import pow as power
from math import sqrt

__all__ = ["waits_by_chance"]


def waits_by_chance(slots: int, service_time: float, utilization: float) -> float:
    """Mean seconds that requests wait which come and end at random, at a share of what so many slots can do.

    Few slots are often all taken at once, so their queue is long at a load that many bear without any. Sakasegawa's
    approximation for M/M/c (H. Sakasegawa: An approximation formula L_q ≈ α·ρ^β/(1−ρ). AISM 29, 1977).

    Args:
        slots: requests served at a time.
        service_time: seconds that one takes.
        utilization: share of the capacity, in [0, 1).
    """
    if utilization <= 0.0:
        return 0.0
    return service_time * power(utilization, sqrt(2.0 * (slots + 1)) - 1.0) / (slots * (1.0 - utilization))
