"""What can befall a simulated fleet, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

__all__ = ["CapacityLoss", "Deploy", "Flush", "Gray", "Lossy", "Partition", "Spike", "Stall", "Trouble", "speed_steps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityLoss:
    """A service does only a share of its work."""

    service: str
    factor: float
    start: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gray:
    """One replica of a service is slow, or fails a share of its requests, and still beats as if it were well."""

    service: str
    start: float
    seconds: float
    replica: int = 0
    factor: float = 1.0
    """Its speed, compared with its normal one."""
    failing: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Calls along an edge are lost on their way."""

    caller: str
    callee: str
    start: float
    seconds: float
    share: float = 1.0
    """Of the calls; 1 cuts the edge altogether."""
    one_way: bool = False
    """Requests arrive and are served, and the answers are lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """The cache in front of an edge loses all that it holds."""

    caller: str
    callee: str
    start: float
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """The replicas of a service restart one after another: each leaves the rotation and comes back cold."""

    service: str
    start: float
    replicas: int
    down: float = 5.0
    """Seconds that a replica is out of the rotation."""
    cold: float = 5.0
    """Seconds that it is slow afterwards."""
    cold_factor: float = 0.6

    @property
    def seconds(self) -> float:
        """How long it takes for all of them."""
        return self.replicas * (self.down + self.cold)

    def absence(self, replica: int) -> tuple[float, float]:
        """When a replica is out of the rotation; one that is not restarted never is."""
        gone = self.start + replica * (self.down + self.cold)
        return (gone, gone + self.down) if replica < self.replicas else (inf, inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """More load from outside."""

    caller: str
    callee: str
    factor: float
    start: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """A replica of a dataset applies only a share of what is written, and catches up afterwards."""

    dataset: str
    replica: str
    start: float
    seconds: float
    factor: float = 0.0
    """Share of the writes that it still applies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lossy:
    """The nodes of a service lose a share of their reports on calls before these are sent; the calls are well."""

    service: str
    share: float
    start: float
    seconds: float


Trouble = CapacityLoss | Gray | Partition | Flush | Deploy | Spike | Stall | Lossy

Steps = tuple[tuple[float, float], ...]
"""From when on, and how fast."""


@dataclass(frozen=True, slots=True)
class _Slow:
    start: float
    end: float
    factor: float


def speed_steps(service: str, replica: int, troubles: Iterable[Trouble]) -> Steps:
    """How a replica's speed, compared with its normal one, goes over time."""
    slow = [found for trouble in troubles for found in _slow(service, replica, trouble)]
    moments = sorted({0.0, *(each.start for each in slow), *(each.end for each in slow)})
    return tuple((moment, _factor(moment, slow)) for moment in moments if moment < inf)


def _slow(service: str, replica: int, trouble: Trouble) -> Iterable[_Slow]:
    match trouble:
        case CapacityLoss(service=at) if at == service:
            yield _Slow(trouble.start, trouble.start + trouble.seconds, trouble.factor)
        case Gray(service=at, replica=one) if (at, one) == (service, replica):
            yield _Slow(trouble.start, trouble.start + trouble.seconds, trouble.factor)
        case Deploy(service=at) if at == service and replica < trouble.replicas:
            _, back = trouble.absence(replica)
            yield _Slow(back, back + trouble.cold, trouble.cold_factor)
        case _:
            return


def _factor(moment: float, slow: Iterable[_Slow]) -> float:
    factor = 1.0
    for each in slow:
        if each.start <= moment < each.end:
            factor *= each.factor
    return factor
