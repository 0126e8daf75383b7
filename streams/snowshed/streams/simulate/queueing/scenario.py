"""A fleet, what befalls it, and for how long it is watched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from snowshed.streams.simulate.queueing.checks import check
from snowshed.streams.simulate.queueing.fleet import Fleet
from snowshed.streams.simulate.queueing.observing import Observer
from snowshed.streams.simulate.queueing.seconds import Second
from snowshed.streams.simulate.queueing.simulation import Simulation
from snowshed.streams.simulate.queueing.summary import Summary, summarize
from snowshed.streams.simulate.queueing.troubles import Trouble

__all__ = ["Scenario"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One experiment."""

    name: str
    description: str
    fleet: Fleet
    troubles: tuple[Trouble, ...]
    seconds: int

    def __post_init__(self) -> None:
        """Refuse what could not be run, or would silently do nothing.

        Raises:
            ConfigurationError: a name is unknown, or the calls form a cycle.
        """
        check(self.fleet, self.troubles)

    @property
    def start(self) -> float:
        """When the first trouble begins."""
        return min((trouble.start for trouble in self.troubles), default=self.seconds / 2)

    @property
    def end(self) -> float:
        """When the last trouble is over."""
        return max((trouble.start + trouble.seconds for trouble in self.troubles), default=self.start)

    def lasting(self, seconds: int) -> Scenario:
        """The same with another length."""
        return replace(self, seconds=seconds)

    def run(self, seed: int, observer: Observer | None = None) -> Iterator[tuple[Second, ...]]:
        """Every second, edge by edge in the order of the fleet's links; the same for the same seed."""
        return Simulation(self.fleet, self.troubles, seed, observer).seconds(self.seconds)

    def summary(self, seed: int) -> Summary:
        """Run it, and keep only what it came to."""
        return summarize(self.run(seed), self.fleet.entries, self.start, self.end)
