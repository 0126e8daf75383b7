"""Central decisions in a closed loop: the exit from a metastable state, the price of a late decision, and swings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import inf, nan
from statistics import fmean, median, pstdev, quantiles

from tests.benchmarks.closed_loop import Loop
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.streams.control.levels import METASTABLE
from snowshed.streams.simulate.queueing import Scenario, Second, calibrated, summarize
from snowshed.streams.simulate.queueing.troubles import Spike

__all__ = ["run"]

_FIRST_SEED = 101
"""Settings were chosen on seeds 1 and 2."""
_LASTING = 240
_QUICK = 300.0
"""A tenth of the calibrated capacity: too little to judge refusals by, enough to show that it runs."""
_DECIDED = 2.0
"""Seconds from the trouble's start to level 2's first decision, in this model."""
_REFERENCE = {2: "10", 5: "10", 10: "12.6", 15: "20", 30: "57", 60: "137"}
_LOCAL = {0.0: "7", 0.1: "12", 0.2: "14", 0.3: "19"}
_BOTH = {0.0: "6.8, goal 8", 0.1: "8.5, goal 10", 0.2: "9.7", 0.3: "11.5, goal 13"}
_HARD = {"utilisation": 0.7, "trouble": 30.0}
_HARD_LOCAL = {0.0: "23.4", 0.1: "38", 0.2: "79.5"}
_HARD_BOTH = {0.0: "23.3", 0.1: "26.6", 0.2: "31"}


def run(stage: Stage) -> Section:
    """The exit, the curve and the swing."""
    seeds = range(_FIRST_SEED, _FIRST_SEED + stage.often(5, 1))
    model = partial(calibrated, capacity=stage.pick(3000.0, _QUICK))
    figures = [*_exits(seeds, model(seconds=_LASTING)), *_swings(seeds, model)]
    figures += _curve(seeds, model, quick=stage.quick)
    if not stage.quick:
        figures += _hard(seeds, model)
    return Section(
        "control_central",
        "The calibrated model, level 2 with its default policy each second, and the Guard's own brakes; four classes "
        f"in shares of 5, 25, 30 and 40 %; seeds {seeds[0]} to {seeds[-1]}, 5th and 95th percentile. After n "
        "seconds: callers obey nothing before, and what is in force from then on.",
        tuple(figures),
    )


def _exits(seeds: Sequence[int], scenario: Scenario) -> Iterator[Figure]:
    """Clients that obey only what is decided once the state has been recognised."""
    seen: list[tuple[float, float, float, float]] = []
    for seed in seeds:
        loop = Loop(scenario, seed, enforces_from=inf, obeys_at_level=METASTABLE)
        seconds = [second for (second,) in loop.run()]
        recognised = next((at for at, level in loop.levels if level == METASTABLE), nan)
        answered = _first(seconds, recognised, lambda one: one.ok >= 0.95 * max(one.attempts - one.rejected, 1))
        full = _first(seconds, recognised, lambda one: one.ok >= 0.95 * one.first)
        changes = sum(one != other for (_, one), (_, other) in zip(loop.levels, loop.levels[1:], strict=False))
        seen.append((recognised - scenario.end, answered - recognised, full - recognised, float(changes)))
    names = (
        ("metastable state: recognised after the trigger's end", "s", "≤ 10"),
        ("… what is admitted is answered again, after recognition", "s", "≤ 10"),
        ("… everything is answered again, after recognition", "s", ""),
        ("… changes of the level", "", "7"),
    )
    for (label, unit, goal), values in zip(names, zip(*seen, strict=True), strict=True):
        yield _figure(label, unit, values, goal)


def _curve(seeds: Sequence[int], model: Callable[..., Scenario], *, quick: bool) -> Iterator[Figure]:
    for delay in (2, 15) if quick else tuple(_REFERENCE):
        yield _lost(f"central decision after {delay} s", model(), seeds, delay, _REFERENCE[delay])
    for delay in () if quick else (15, 30):
        yield _lost(f"… and each later one as late, {delay} s", model(), seeds, delay, _REFERENCE[delay], each=True)
    for cost, reference in _LOCAL.items():
        shedding = model(shed_above=0.5, reject_cost=cost)
        yield _lost(f"local, a refusal costs {cost:.0%}", shedding, seeds, inf, reference)
        for delay in (2, 5, 15) if cost and not quick else (2,):
            expected = _BOTH[cost] if delay == int(_DECIDED) else ""
            yield _lost(f"… and central after {delay} s", shedding, seeds, delay, expected)


def _hard(seeds: Sequence[int], model: Callable[..., Scenario]) -> Iterator[Figure]:
    for delay, reference in ((2, "98"), (15, "never")):
        yield _lost(f"load 0.7, 30 s; central after {delay} s", model(**_HARD), seeds, delay, reference)
    for cost, reference in _HARD_LOCAL.items():
        shedding = model(**_HARD, shed_above=0.5, reject_cost=cost)
        yield _lost(f"load 0.7, 30 s; local, a refusal costs {cost:.0%}", shedding, seeds, inf, reference)
        yield _lost("… and central after 2 s", shedding, seeds, 2, _HARD_BOTH[cost])


def _lost(
    label: str, scenario: Scenario, seeds: Sequence[int], delay: float, reference: str, *, each: bool = False
) -> Figure:
    """What is lost when callers obey from `delay` on; with `each`, when every decision is so late."""
    values: list[float] = []
    for seed in seeds:
        if each:
            loop = Loop(scenario, seed, delay=delay - _DECIDED, enforces_from=inf, obeys_at_level=1)
        else:
            loop = Loop(scenario, seed, enforces_from=scenario.start + delay)
        judged = summarize(loop.run(), scenario.fleet.entries, scenario.start, scenario.end)
        values.append(judged.lost_to_before)
    return _figure(f"{label}: lost", "s of goodput", values, f"reference {reference}" if reference else "")


def _swings(seeds: Sequence[int], model: Callable[..., Scenario]) -> Iterator[Figure]:
    """A load of 1.5 times the capacity for 120 s, over which the rate is judged from the tenth second on."""
    spike = Spike(caller="client", callee="server", start=60.0, seconds=120.0, factor=2.0)
    scenario = replace(model(utilisation=0.75, seconds=180), troubles=(spike,))
    capacity = scenario.fleet.services[0].capacity
    seen: list[tuple[float, float, float]] = []
    for seed in seeds:
        loop = Loop(scenario, seed)
        seconds = [second for (second,) in loop.run()][70:180]
        admitted = [float(one.attempts - one.rejected) for one in seconds]
        good = fmean(one.ok for one in seconds) / capacity
        changes = sum(one != other for (_, one), (_, other) in zip(loop.levels, loop.levels[1:], strict=False))
        seen.append((100.0 * pstdev(admitted) / fmean(admitted), 100.0 * good, float(changes)))
    names = (
        ("1.5 times the capacity: variation of the admitted rate after 10 s", "%", "< 5"),
        ("… goodput", "% of the capacity", ""),
        ("… changes of the level", "", "2"),
    )
    for (label, unit, goal), values in zip(names, zip(*seen, strict=True), strict=True):
        yield _figure(label, unit, values, goal)


def _first(seconds: Sequence[Second], start: float, holds: Callable[[Second], bool]) -> float:
    """The beginning of the first three seconds on end after a moment in all of which a condition holds."""
    late = [one for one in seconds if one.at > start]
    for index in range(len(late) - 2):
        if all(holds(one) for one in late[index : index + 3]):
            return late[index].at - 1.0
    return nan


def _figure(label: str, unit: str, values: Sequence[float], goal: str) -> Figure:
    cuts = quantiles(values, n=20, method="inclusive") if len(values) > 1 else [values[0]]
    return Figure(label, unit, median(values), cuts[0], cuts[-1], len(values), goal)
