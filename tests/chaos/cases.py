"""The cases: what goes wrong in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.chaos.arenas import Arena, Arenas
from tests.chaos.broker_faults import BrokerKills, CoordinatorMoves, Cuts, NodeKills
from tests.chaos.failpoints import At
from tests.chaos.faults import (
    AbortedState,
    AllDead,
    ClockSteps,
    Expired,
    FailPoints,
    Fault,
    Freezes,
    Kills,
    Raising,
    Storm,
)
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
    protocols: tuple[str, ...] = ("consumer", "classic")
    """Group protocols, tried in turn by the seed."""


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
        "expired",
        "workers freeze within a transaction until the broker gives it up, and stay in the group meanwhile",
        (lambda run: Expired(run, 7.0),),
        environment={"SNOWSHED_SESSION": "30"},
        protocols=("classic",),
        seconds=40.0,
    ),
    Case(
        "cut",
        "the network between one worker and the broker cut beyond the session",
        (lambda run: Cuts(run, 8.0, 5.0),),
        seconds=40.0,
    ),
    Case(
        "broker-kill",
        "the only broker killed with -9 and started again",
        (lambda run: BrokerKills(run, 12.0),),
        seconds=60.0,
    ),
    Case(
        "broker-of-three",
        "one of three brokers killed with -9 and started again",
        (lambda run: NodeKills(run, 5.0),),
        seconds=75.0,
        arena=Arenas.cluster,
    ),
    Case(
        "coordinators",
        "group and transaction coordinators moved to other brokers and back",
        (lambda run: CoordinatorMoves(run, 5.0),),
        seconds=75.0,
        arena=Arenas.cluster,
    ),
    Case(
        "all-dead",
        "all workers killed, nobody back before the transaction time-out",
        (lambda run: AllDead(run, 12.0, 7.0),),
    ),
    Case(
        "clock",
        "the wall clock of a worker stepped by half a minute, while others die",
        (lambda run: ClockSteps(run, 1.5), lambda run: Kills(run, 4.0)),
    ),
    Case(
        "mixture",
        "all of it at random: kills, zombies, cuts, a rule that breaks, bad and aborted records, clock steps",
        (
            lambda run: FailPoints(run, *At),
            lambda run: Freezes(run, 8.0, 3.5),
            lambda run: Storm(run, 6.0),
            lambda run: Cuts(run, 9.0, 4.0),
            lambda run: Raising(run, 0.1),
            lambda run: AbortedState(run, 2.0),
            lambda run: ClockSteps(run, 5.0),
        ),
        workers=3,
        mix=Mix(poison=0.005, garbage=0.005, oversized=0.001, aborted=True),
        seconds=45.0,
    ),
)

CASES: Mapping[str, Case] = {case.name: case for case in _ALL}
