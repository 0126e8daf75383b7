"""What a played arrangement left behind, and what is told of it while it runs; frozen values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from snowshed.streams.lab.measure import Bin, Ended, Verdict, bins, verdict
from snowshed.streams.lab.scenario import Scenario

__all__ = ["Listener", "Note", "Played", "Tick"]


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened."""

    at: float
    """Seconds from the start."""
    text: str
    decided: bool = False
    """Whether Snowshed did it; otherwise the scenario."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One second, as it ended."""

    second: int
    offered: int
    good: int
    attempts: int
    """Attempts that the load sent."""
    queues: dict[str, int]
    """Requests that wait, by service."""


Listener = Callable[[Tick | Note], None]
"""Is told what happens while it happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One arrangement of a scenario, played to its end."""

    scenario: Scenario
    protect: str
    seed: int
    ended: tuple[Ended, ...]
    ticks: tuple[Tick, ...]
    notes: tuple[Note, ...]
    received: dict[str, int]
    """Requests that each service received from the trouble's beginning on."""
    late: float
    """Seconds after which a request was sent that was due, at most; by so much the machine fell behind."""

    @property
    def classes(self) -> tuple[int, ...]:
        """The classes of its load, most important first."""
        return tuple(sorted({one.criticality for one in self.ended}))

    def bins(self, criticality: int | None = None) -> tuple[Bin, ...]:
        """Its seconds, for one class or all."""
        return bins(self.ended, self.scenario.seconds, criticality)

    def verdict(self, criticality: int | None = None) -> Verdict:
        """What the trouble cost, for one class or all."""
        scenario = self.scenario
        return verdict(
            self.ended, scenario.seconds, scenario.trouble, warm_up=scenario.warm_up, criticality=criticality
        )
