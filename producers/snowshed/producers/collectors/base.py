"""The seam between a system that is watched and the telemetry topics.

A collector is one class in one file: it asks its system and gives readings, which name no system and no topic. It may
block for as long as its own time-outs allow, because each collector has a thread to itself; it must not retry, sleep or
log outages, because `CollectorThread` does that for all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import nan
from typing import Protocol

from snowshed.schemas.members import MemberReport
from snowshed.schemas.records import PositionUnit

__all__ = [
    "CallTiming",
    "CallTimings",
    "Clock",
    "Collector",
    "GroupSeen",
    "PartitionBehind",
    "QuorumSeen",
    "Reading",
    "RowSeen",
    "RowWritten",
]


@dataclass(frozen=True, slots=True)
class Clock:
    """Where a collector takes the time from: seconds since the Unix epoch, and seconds that never step."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWritten:
    """A heartbeat row that this agent has just written at the source of a dataset."""

    dataset: str
    source: str
    system: str
    version: int
    written_at: float
    row_period: float
    took: float = 0.0
    """Seconds from `written_at` until the source had answered, so that the row was committed by then."""
    position: float = nan
    """Log written at the source."""
    unit: PositionUnit = PositionUnit.BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSeen:
    """The newest heartbeat row of a dataset that a replica shows."""

    dataset: str
    replica: str
    system: str
    version: int
    writer: str
    written_at: float
    seen_at: float
    """Taken when the answer had arrived, so the row is never older than `seen_at` says."""
    row_period: float
    poll_period: float
    position: float = nan
    """Log applied at the replica."""
    source_position: float = nan
    """Log written at the source, as far as this agent knows."""
    unit: PositionUnit = PositionUnit.BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTiming:
    """Calls of one statement by one caller."""

    caller: str
    operation: str
    statement: str
    """Fingerprint, or the empty string where several statements are summed."""
    latencies: tuple[tuple[float, int], ...]
    """Pairs of a mean duration in seconds and the number of calls that took it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTimings:
    """What a server itself counted of the calls it finished between two polls."""

    callee: str
    window_start: float
    window: float
    calls: tuple[CallTiming, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionBehind:
    """How far a consumer group has come on one partition."""

    place: str
    """`topic/partition`."""
    committed: int | None
    """The next offset to read; None if the group never committed here."""
    end: int
    owned: bool
    """Whether a member of the group has the partition assigned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSeen:
    """One look at a consumer group."""

    dataset: str
    group: str
    asked: float
    """After commits were answered, before the ends were asked for."""
    answered: float
    period: float
    partitions: int
    """How many partitions the group is watched on."""
    lag: int
    """Records that the group is behind on all of them."""
    worst: tuple[PartitionBehind, ...]
    """Those furthest behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumSeen:
    """One round of questions to the voting members of a consensus group."""

    dataset: str
    system: str
    asked_at: float
    period: float
    voters: tuple[str, ...]
    reports: tuple[MemberReport, ...]
    """Of those that answered."""


Reading = RowWritten | RowSeen | CallTimings | GroupSeen | QuorumSeen


class Collector(Protocol):
    """Asks one system for its readings, again and again."""

    @property
    def name(self) -> str:
        """What is asked, for log lines."""
        ...

    @property
    def period(self) -> float:
        """Seconds between two polls."""
        ...

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Ask once; an empty answer is a valid one.

        Raises:
            ServerUnavailable: the system does not answer; asked again soon.
            ConfigurationError: a person has to change something first, which the message names; asked again later.
        """
        ...

    def close(self) -> None:
        """Give up connections; `collect` makes them anew."""
        ...
