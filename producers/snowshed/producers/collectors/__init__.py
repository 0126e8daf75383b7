"""Collectors: what a host agent asks systems that cannot report for themselves."""

from snowshed.producers.collectors.base import (
    CallTiming,
    CallTimings,
    Clock,
    Collector,
    GroupSeen,
    QuorumSeen,
    Reading,
    RowSeen,
    RowWritten,
)
from snowshed.producers.collectors.reporter import Reporter
from snowshed.producers.collectors.thread import CollectorThread

__all__ = [
    "CallTiming",
    "CallTimings",
    "Clock",
    "Collector",
    "CollectorThread",
    "GroupSeen",
    "QuorumSeen",
    "Reading",
    "Reporter",
    "RowSeen",
    "RowWritten",
]
