"""The cases: what goes wrong in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.chaos.arenas import Arena, Arenas
from tests.chaos.failpoints import At
from tests.chaos.faults import AbortedState, AllDead, FailPoints, Fault, Freezes, Kills, Raising, Storm
from tests.chaos.feeder import Mix
from tests.chaos.run import Run

__all__ = ["CASES", "Case"]


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of trouble."""

    name: str
    summary: str
    faults: tuple[Callable[[Run], Fault], ...] = ()
    workers: int = 2
    seconds: float = 30.0
    """How long records are fed."""
    rate: float = 300.0
    """Records a second."""
    mix: Mix = field(default_factory=Mix)
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    arena: Callable[[Arenas], Arena] = Arenas.single


def _struck(at: At) -> Case:
    def points(run: Run) -> Fault:
        return FailPoints(run, at)

    return Case(f"kill-{at.value}", f"workers kill themselves {at.value.replace('-', ' ')}", (points,))


_ALL: tuple[Case, ...] = (
    Case("calm", "nothing", seconds=8.0),
    *map(_struck, At),
    Case("kill-random", "kill -9 at random moments", (lambda run: Kills(run, 1.5),)),
    Case("zombie", "frozen beyond the session, then woken", (lambda run: Freezes(run, 4.0, 3.5),), workers=3),
    Case("storm", "workers stop and join in order, all the time", (lambda run: Storm(run, 1.5),), workers=3),
    Case("raising", "a rule that breaks at every fourth batch", (lambda run: Raising(run, 0.25),)),
    Case(
        "bad-records",
        "poison, garbage and records near the size limit",
        mix=Mix(poison=0.01, garbage=0.01, oversized=0.002),
    ),
    Case(
        "aborted",
        "aborted records in the input and in the state",
        (lambda run: AbortedState(run, 0.7),),
        mix=Mix(aborted=True),
    ),
    Case(
        "all-dead",
        "all workers killed, nobody back before the transaction time-out",
        (lambda run: AllDead(run, 12.0, 7.0),),
    ),
)

CASES: Mapping[str, Case] = {case.name: case for case in _ALL}
