"""When a queue is long.

A queue forms by chance wherever requests come at random, and the busier a service usually is, the longer. So its limit
q* is 20 ms or, where that is more, the usual 90th percentile of the whole call's latency: past it, the mean request
waits for its turn alone as long as nine in ten usually take altogether, three to five times the usual wait. Nothing is
learned while a window is bad, so that an outage does not move it.
"""

from __future__ import annotations

__all__ = ["queue_limit"]


def queue_limit(least: float, usual_p90: float) -> float:
    """q*: the mean queue delay, in seconds, beyond which a queue is long.

    Args:
        least: the target where little is usual, `OverloadPolicy.queue_delay`.
        usual_p90: usual 90th percentile of the latency; NaN while it is unknown.
    """
    return usual_p90 if usual_p90 > least else least
