"""What is summed up at a replica between two writes of its larger state: delays, and time inside the objective."""

from __future__ import annotations

from dataclasses import replace

from snowshed.schemas.records import LagStatus
from snowshed.streams.lag.servers import Replica

__all__ = ["accrued", "is_due", "settled"]

_PERIOD = 10.0
"""Seconds between two writes of a replica's delays and its dataset's budget: both are long, and neither is urgent."""


def accrued(replica: Replica, before: LagStatus, now: float, patience: float) -> Replica:
    """The replica with the time since its last report counted by the status it had in that report.

    Time in which nothing was known counts as neither, and what is longer than `patience` is such time: nobody judged.
    """
    seconds = min(max(now - replica.reported, 0.0), patience) if replica.reported else 0.0
    if before is LagStatus.FRESH:
        return replace(replica, good=replica.good + seconds)
    return replace(replica, bad=replica.bad + seconds) if before is LagStatus.BEHIND else replica


def is_due(replica: Replica, now: float) -> bool:
    """Whether it is time to write what was summed up."""
    return now - replica.counted >= _PERIOD


def settled(replica: Replica, now: float) -> Replica:
    """The replica after that."""
    return replace(replica, good=0.0, bad=0.0, pending=(), counted=now)
