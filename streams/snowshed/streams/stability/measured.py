"""One window of a service or an edge, against what is usual there, in the terms of metastable failures."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan, sqrt

from snowshed.streams.policy import MetastablePolicy

__all__ = ["Measured", "Usual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What is usual, from a time when nothing was wrong; NaN while unknown."""

    first: float = nan
    """First attempts a second."""
    requests: float = nan
    """Requests a second that lead to them: the same without a cache in front."""
    completions: float = nan
    """Completions a second."""
    spread: float = 0.0
    """Standard deviation of the rates, as a share of them."""
    hit_ratio: float = nan
    """Share of the requests that a cache answers."""
    hit_deviation: float = nan
    """Standard deviation of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Counts of one window; NaN where nobody measured."""

    at: float
    """The window's end."""
    span: float
    first: float
    attempts: float
    ok: float
    """Successes in time."""
    completions: float
    """Successes, whether or not anybody still waited."""
    rejected: float
    timeout: float
    errors: float = 0.0
    """Failures of the callee's own or from further down."""
    requests: float = nan
    """Requests that led to the first attempts: more than those where a cache answers; NaN for the same number."""
    p99: float = nan
    """Of latency; while time-outs prevail, the time-out."""
    queue_delay: float = nan
    hits: float = nan
    """Requests that a cache answered; NaN where nobody counts them."""

    @property
    def hit_ratio(self) -> float:
        """Share of the requests that a cache answered."""
        return self.hits / (self.hits + self.first) if self.hits + self.first > 0.0 else nan

    @property
    def wanted(self) -> float:
        """Requests, or first attempts where those are more."""
        return self.first if isnan(self.requests) else max(self.requests, self.first)

    @property
    def admitted(self) -> float:
        """Of the wanted ones those that no brake refused; all where that would leave none."""
        refused = self.first - min(self.first, self.attempts - self.rejected)
        return self.wanted - refused if refused < self.wanted else self.wanted

    @property
    def good(self) -> float:
        """Requests answered in time, by a cache or by the callee."""
        return self.ok + self.wanted - self.first

    @property
    def demand(self) -> float:
        """What the callers ask for, whatever the cache makes of it."""
        return self.first if isnan(self.requests) else self.requests

    @property
    def amplification(self) -> float:
        """Attempts per first attempt."""
        return self.attempts / max(self.first, 1.0)

    @property
    def wasted(self) -> float:
        """Share of the throughput that came too late; NaN where it is unknown."""
        return 1.0 - self.ok / self.completions if self.completions > 0.0 else nan

    @property
    def piled(self) -> float:
        """Work admitted and neither done nor failed: by how much the backlog grows; NaN where it is unknown."""
        return self.attempts - self.rejected - self.errors - self.completions

    def cold(self, usual: Usual) -> float:
        """Calls per request against the usual: above 1 where a cache answers less than usual."""
        return (self.first / max(self.demand, 1.0)) / (usual.first / usual.requests)

    def tolerance(self, rate: float, usual: Usual, policy: MetastablePolicy) -> float:
        """How far a count may lie from its usual rate and still pass for unchanged, as a share."""
        return max(policy.flat, policy.noise * max(usual.spread, 1.0 / sqrt(max(rate * self.span, 1.0))))
