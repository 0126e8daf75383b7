"""The calibrated model with level 2 judging it each second and the Guard's own brakes obeying what level 2 decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from math import inf
from random import Random

from tests.unit.streams.cascade.domain_script import START, Domain
from tests.unit.streams.stability.driving import calm_of, observed

from snowshed.consumers.admission.controls import Controls
from snowshed.consumers.decisions.book import DecisionBook
from snowshed.consumers.decisions.effective import combine
from snowshed.schemas.propagation import COHORTS
from snowshed.schemas.records import Decision
from snowshed.streams.cascade.throttle import Throttle
from snowshed.streams.policy import Policy
from snowshed.streams.simulate.queueing import Scenario, Second
from snowshed.streams.simulate.queueing.fleet import Retries, Shedding
from snowshed.streams.simulate.queueing.persistence import Persistence
from snowshed.streams.simulate.queueing.simulation import Simulation

__all__ = ["Loop"]

_CALM_SECONDS = 40
_TUNED_EVERY = 0.2
_CLASSES = (5.0, 25.0, 30.0, 40.0)
"""Shares of the four classes, most important first."""


class _Guard:
    """All clients together, as one Guard in front of the server."""

    def __init__(self, seed: int, enforces_from: float) -> None:
        self._book, self._due = DecisionBook(), list[tuple[float, Decision]]()
        self._controls = Controls(combine("server", (), newest=None, stale=False), 0.0)
        self._random = Random(seed)
        self._tuned = 0.0
        self.enforces_from = enforces_from

    def hear(self, decision: Decision, at: float) -> None:
        """Take a decision that arrives at a moment."""
        self._due.append((at, decision))

    def admits(self, now: float) -> bool:
        """Whether a first attempt may be made."""
        self._tune(now)
        criticality = self._random.choices(range(4), _CLASSES)[0]
        cohort = self._random.randrange(COHORTS)
        refused = self._controls.brakes.check(criticality, cohort, 0, self._random.random, now) is not None
        if not refused:
            self._controls.demand.counted += 1
        return not refused or now < self.enforces_from

    def retries(self, now: float, tries: int) -> bool:
        """Whether a retry may be scheduled."""
        if now < self.enforces_from:
            return True
        self._tune(now)
        brakes = self._controls.brakes
        if brakes.schedule_retry(tries + 1) is not None:
            return False
        return brakes.check(0, 0, tries + 1, self._random.random, now) is None

    def _tune(self, now: float) -> None:
        if now < self._tuned + _TUNED_EVERY:
            return
        self._tuned = now
        heard = [one for one in self._due if one[0] <= now]
        self._due = [one for one in self._due if one[0] > now]
        for _, decision in heard:
            self._book = self._book.apply(decision, now)
        held = [
            *self._book.in_force("server", now, now),
            *self._book.in_force("client>server", now, now),
        ]
        self._controls.tune(combine("server", held, newest=None, stale=False), now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking(Shedding):
    """A link's shedding that asks the Guard at every first attempt."""

    guard: _Guard

    def share_at(self, now: float) -> float:
        return 0.0 if self.guard.admits(now) else 1.0


class _Obeying(Persistence):
    """Retries that the Guard allows."""

    def __init__(self, retries: Retries, seed: int, guard: _Guard) -> None:
        super().__init__(retries, iter(Random(seed).random, None))
        self._guard = guard

    def wait(self, now: float, tries: int) -> float | None:
        seconds = super().wait(now, tries)
        return seconds if seconds is not None and self._guard.retries(now, tries) else None


@dataclass
class Loop:
    """One closed loop; what happened in it is kept as it runs.

    Args:
        scenario: a run of the calibrated model.
        seed: of all that is random.
        delay: seconds from a decision to its arrival.
        enforces_from: when the clients begin to obey any brake at all; -inf for always, inf for never.
    """

    scenario: Scenario
    seed: int
    delay: float = 0.0
    enforces_from: float = -inf
    obeys_at_level: int = 0
    """The clients begin to obey when decisions of this level arrive; 0 for as `enforces_from` says."""
    policy: Policy = field(default_factory=Policy)
    levels: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """Degrade level at each second's end."""

    def run(self) -> Iterator[tuple[Second, ...]]:
        """Each second of the run."""
        guard = _Guard(self.seed, self.enforces_from)
        fleet = self.scenario.fleet
        links = tuple(
            replace(link, shedding=_Asking(share=0.0, start=0.0, hold=0.0, guard=guard)) for link in fleet.links
        )
        simulation = Simulation(replace(fleet, links=links), self.scenario.troubles, self.seed)
        (line,) = simulation.lines
        line._retries = _Obeying(line.link.retries, self.seed, guard)  # pyright: ignore[reportPrivateUsage]
        seconds = simulation.seconds(self.scenario.seconds)
        before = list(islice(seconds, _CALM_SECONDS))
        calm = calm_of(before)
        domain = Domain(self.policy)
        for second in before:
            domain.step(second[0].at, observed(second, calm))
            yield second
        for second in seconds:
            self._judge(domain, guard, second[0].at, domain.step(second[0].at, observed(second, calm)))
            yield second

    def _judge(self, domain: Domain, guard: _Guard, at: float, emissions: tuple[object, ...]) -> None:
        throttle = domain.state.get("throttle/server")
        level = throttle.level if isinstance(throttle, Throttle) else 0
        self.levels.append((at, level))
        if self.obeys_at_level and level >= self.obeys_at_level:
            guard.enforces_from = min(guard.enforces_from, at + self.delay)
        for emission in emissions:
            record = getattr(emission, "record", None)
            if isinstance(record, Decision):
                guard.hear(record, record.issued_at - START + self.delay)
