"""How loaded a host is, computed from readings that somebody else takes; `sampling` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

__all__ = ["NO_VITALS", "LinkReading", "Reading", "TcpCounts", "Vitals", "vitals_between"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpCounts:
    """Connections of a host by state."""

    established: float = nan
    syn_sent: float = nan
    close_wait: float = nan
    time_wait: float = nan


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReading:
    """One network interface: bytes since boot each way and its speed in bytes per second, NaN if unknown."""

    received: float
    sent: float
    speed: float = nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The raw counters of a host at one moment."""

    at: float
    """Monotonic seconds."""
    cpu_busy: float = nan
    """Seconds all processors together have worked since boot."""
    cpu_total: float = nan
    """Seconds they have had."""
    memory: float = nan
    """Share in use, 0 to 1."""
    load: float = nan
    """Mean length of the run queue over the last minute."""
    processors: int = 1
    links: Mapping[str, LinkReading]
    tcp: TcpCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """A host's load; ratios 0 to 1, NaN where not measured."""

    cpu: float = nan
    memory: float = nan
    network: float = nan
    """Use of the busiest interface in its busier direction, as a share of its speed."""
    run_queue: float = nan
    """Runnable processes per processor; may exceed 1."""
    tcp: TcpCounts = TcpCounts()


NO_VITALS = Vitals()
"""Nothing was measured."""


def vitals_between(before: Reading | None, now: Reading) -> Vitals:
    """The load between two readings; what needs both is NaN with only one."""
    return Vitals(
        cpu=nan if before is None else _cpu(before, now),
        memory=now.memory,
        network=nan if before is None else _network(before, now),
        run_queue=now.load / max(1, now.processors),
        tcp=now.tcp,
    )


def _cpu(before: Reading, now: Reading) -> float:
    spent = now.cpu_total - before.cpu_total
    return _ratio((now.cpu_busy - before.cpu_busy) / spent) if spent > 0 else nan


def _network(before: Reading, now: Reading) -> float:
    seconds = now.at - before.at
    if seconds <= 0:
        return nan
    used = [_use(before.links[name], link, seconds) for name, link in now.links.items() if name in before.links]
    return max((share for share in used if share == share), default=nan)  # noqa: PLR0124 - NaN is unequal to itself


def _use(before: LinkReading, now: LinkReading, seconds: float) -> float:
    if not now.speed > 0:
        return nan
    moved = max(now.received - before.received, now.sent - before.sent)
    # A counter that went backwards was reset with its interface and says nothing about this interval.
    return _ratio(moved / seconds / now.speed) if moved >= 0 else nan


def _ratio(value: float) -> float:
    return min(1.0, max(0.0, value))
