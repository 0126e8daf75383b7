"""What a simulated fleet is made of: services, the calls between them, the load from outside."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

__all__ = ["Budget", "Cache", "Dataset", "Fleet", "Link", "Load", "Retries", "Service", "Shedding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Replicas that each serve one request at a time, first come first served; abandoned requests are served too."""

    name: str
    capacity: float
    """Units of work a second of all replicas together; a request is one unit in the mean, exponentially distributed."""
    replicas: int = 1
    shed_above: float = inf
    """Refuse a request that would wait longer than this, in seconds."""
    reject_cost: float = 0.0
    """Units of work that a refusal costs."""
    drops_expired: bool = False
    """Whether a request whose caller has given up is dropped, at no cost, when its turn comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A token bucket for retries: each first attempt adds `ratio` tokens, each retry takes one; full at the start."""

    ratio: float
    depth: float
    """The most tokens that it holds."""
    since: float = 0.0
    """When it comes into force: retries before that are free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """What a caller does after a failed attempt."""

    limit: int = 4
    """Attempts after the first one."""
    backoff: float = 0.0
    """The n-th retry (from 0) waits between half and all of `backoff`·2ⁿ seconds; 0 tries again at once."""
    budget: Budget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A look-aside cache, least recently used goes first; keys are asked for by Zipf's law."""

    keys: int
    size: int
    exponent: float = 1.00001


@dataclass(frozen=True, slots=True, kw_only=True)
class Shedding:
    """A central decision: refuse a share of the first attempts for a while, then ever less."""

    share: float
    start: float
    hold: float
    ramp: float = 0.0

    def share_at(self, now: float) -> float:
        """The share that is refused at a moment."""
        elapsed = now - self.start
        if elapsed < 0:
            return 0.0
        if elapsed <= self.hold:
            return self.share
        return max(0.0, self.share * (1 - (elapsed - self.hold) / self.ramp)) if self.ramp else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Calls of one service, or of clients outside, to another service."""

    caller: str
    callee: str
    calls: float = 1.0
    """Calls for each request that the caller serves, in the mean; made one after another."""
    timeout: float = 3.0
    retries: Retries = Retries()
    cache: Cache | None = None
    shedding: Shedding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests from outside, by a Poisson process."""

    caller: str
    callee: str
    rate: float
    """Requests a second."""
    swing: float = 0.0
    """A daily curve: the rate moves between 1 - swing and 1 + swing times `rate`."""
    period: float = 86_400.0
    """Seconds that the daily curve takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Replicated data: a source that is written to all the time, and replicas that apply what it writes."""

    name: str
    service: str
    """The service whose first node measures it."""
    replicas: tuple[str, ...]
    delay: float = 0.1
    """Seconds from a write to its being applied."""
    catch_up: float = 3.0
    """How much faster than it is written a replica applies what it has missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A call graph without cycles, what comes in, and what is replicated."""

    services: tuple[Service, ...]
    links: tuple[Link, ...]
    loads: tuple[Load, ...]
    datasets: tuple[Dataset, ...] = ()

    @property
    def entries(self) -> frozenset[tuple[str, str]]:
        """The edges on which load comes in."""
        return frozenset((load.caller, load.callee) for load in self.loads)
