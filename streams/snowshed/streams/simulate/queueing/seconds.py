"""What happened along one edge in one second of a simulation."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

__all__ = ["Second"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """One edge's second: attempts count when they are sent, outcomes when they happen.

    A request that no answer reaches in time counts as `timeout` when the caller gives up, and once more in
    `completions` if the callee finishes it all the same.
    """

    at: float
    """The second's end, in seconds since the simulation's start."""
    caller: str = "client"
    callee: str = "server"
    first: int
    """First attempts sent."""
    attempts: int
    """All attempts sent."""
    ok: int
    """Successes inside the time-out: goodput."""
    completions: int
    """Successes, whether or not anybody still waited for them."""
    timeout: int
    """Attempts that the caller gave up."""
    rejected: int
    """Attempts refused to protect the callee."""
    error_local: int = 0
    """Attempts that the callee failed for a reason of its own."""
    error_downstream: int = 0
    """Attempts that the callee failed because something it depends on did."""
    in_flight_max: int
    """The most attempts that the callers waited for at once."""
    taken_up: int = 0
    """Requests whose turn at the callee came in this second."""
    queue_delay_mean: float
    """Of those; 0 where there were none."""
    queue_delay_max: float
    latency_p50: float = nan
    """Of the attempts that ended in this second, a time-out counting as its length; NaN where none ended."""
    latency_p90: float = nan
    latency_p99: float = nan
    cache_hits: int = 0
    """Calls that a cache in front of the callee answered; they are not among the attempts."""
    cache_lookups: int = 0
    """0 where there is no cache."""
    capacity: float
    """Work that the callee can do a second, the truth that no telemetry tells: for scoring only."""
