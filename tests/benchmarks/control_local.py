"""Local brakes on real processes: ours, none, and what else a Python program would put into the same places."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from math import inf, isfinite, sqrt
from pathlib import Path
from statistics import fmean, median, pstdev, quantiles

from tests.benchmarks.brakes import overloads
from tests.benchmarks.brakes.cost import costs
from tests.benchmarks.brakes.overloads import Sizes
from tests.benchmarks.brakes.peers import BOTTLENECK, LIMIT
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.schemas.propagation import Criticality
from snowshed.streams.lab.measure import Outcome
from snowshed.streams.lab.play import play
from snowshed.streams.lab.played import Note, Played, Tick
from snowshed.streams.lab.scenario import Scenario

__all__ = ["run"]

_HERE = "tests.benchmarks.brakes"
_ARRANGEMENTS: Mapping[str, str] = {
    "nothing": "off",
    "ours": f"{_HERE}.ours:guarded",
    "ours, callers' brakes too": f"{_HERE}.ours:with_callers",
    "pybreaker": f"{_HERE}.peers:pybreaker_",
    "aiobreaker": f"{_HERE}.peers:aiobreaker_",
    "purgatory": f"{_HERE}.peers:purgatory_",
    "aiolimiter": f"{_HERE}.peers:aiolimiter_",
    "limits": f"{_HERE}.peers:limits_",
    "purgatory and limits": f"{_HERE}.peers:assembled",
}
_FULL = Sizes(calm=3.0, overload=8.0, sustained=60.0)
_QUICK = Sizes(calm=1.0, overload=1.0, sustained=1.0)
_ROUGH = 10
"""Seconds of the sustained overload after which the admitted rate is to be steady."""
_SPAN = 5
"""Seconds over which chance evens out."""
_LIMITED = 0.9
"""Share of the true capacity that limiters are told: at the whole of it a queue, once there, never goes away."""
_SETTLING = 2
"""Seconds of the overload that are left out where the settled state is measured."""

Measured = Mapping[str, Callable[[Played], float]]
"""What is read off a run, by its unit."""


def run(stage: Stage) -> Section:
    """Every overload under the arrangements that have a place in it."""
    seeds = range(1, stage.often(3, 1) + 1)
    figures = list(_quick(stage) if stage.quick else _full(stage, seeds))
    figures += costs(stage.pick(20, 2))
    return Section(
        "control_local",
        "Real processes on loopback, no control plane: one process of load with Poisson arrivals, one a service. Each "
        f"caller makes at most 4 attempts of 0.5 s (B3: 1 s). Seeds 1 to {seeds[-1]}, 5th and 95th percentile. All "
        "but nothing and ours retry by tenacity; limits and aiolimiter are told 90 % of the capacity.",
        tuple(figures),
    )


def _quick(stage: Stage) -> Iterator[Figure]:
    yield from _compare(stage, overloads.step(_QUICK), ("ours",), _step_measures(), [1])


def _full(stage: Stage, seeds: Sequence[int]) -> Iterator[Figure]:
    some: Sequence[str] = ("nothing", "ours", "purgatory", "limits")
    for k in range(1, 5):
        measures: Measured = {"% of tasks (goal ≥ 45)": _success}
        yield from _compare(stage, overloads.subsequent(k, _FULL), some, measures, seeds)
    yield from _compare(stage, overloads.step(_FULL), tuple(_ARRANGEMENTS), _step_measures(), seeds)
    some = ("nothing", "ours", "limits", "purgatory and limits")
    yield from _compare(stage, overloads.three_times(_FULL), some, _triple_measures(), seeds)
    yield from _compare(stage, overloads.class_spike(_FULL), some, _class_measures(), seeds)
    some = ("nothing", "ours", "limits")
    lasting = overloads.sustained(_FULL)
    yield from _compare(stage, lasting, some, _lasting_measures(), seeds)
    # Servers that are never idle finish exponential work as a Poisson process.
    for span in (_SPAN, 1):
        chance = 100.0 / sqrt(span * _capacity(lasting))
        yield _figure(f"{lasting.summary}, by chance alone (computed)", f"% variation of {span} s", [chance])


def _step_measures() -> Measured:
    return {
        "% of the capacity": _goodput,
        "s to 95 % of its plateau": _settled,
        "ms, median": lambda played: 1e3 * played.verdict().p50,
        "ms, 99th percentile": lambda played: 1e3 * played.verdict().p99,
    }


def _triple_measures() -> Measured:
    return {
        "% of the capacity (goal ≥ 95)": _goodput,
        "ms, median": lambda played: 1e3 * played.verdict().p50,
        "% of CRITICAL_PLUS (goal ≥ 99.4)": partial(_share, Criticality.CRITICAL_PLUS),
        "% of CRITICAL": partial(_share, Criticality.CRITICAL),
        "% of both after 2 s": _settled_share,
    }


def _lasting_measures() -> Measured:
    return {
        f"% variation of {_SPAN} s (goal < 5)": partial(_variation, _SPAN),
        "% variation of 1 s": partial(_variation, 1),
        "% of the capacity": _goodput,
    }


def _class_measures() -> Measured:
    return {
        "% of CRITICAL_PLUS (goal > 99.4)": partial(_share, Criticality.CRITICAL_PLUS),
        "% of CRITICAL (goal > 99.4)": partial(_share, Criticality.CRITICAL),
        "% of both after 2 s": _settled_share,
        "% of SHEDDABLE": partial(_share, Criticality.SHEDDABLE),
        "% of the capacity": _goodput,
    }


def _compare(
    stage: Stage, scenario: Scenario, names: Sequence[str], measured: Measured, seeds: Sequence[int]
) -> Iterator[Figure]:
    for name in names:
        runs = [_play(stage, scenario, name, seed) for seed in seeds]
        for unit, measure in measured.items():
            figure = _figure(f"{scenario.summary}, {name}", unit, [measure(played) for played in runs])
            stage.tell(f"  {figure.row}")
            yield figure
        stage.tell(f"  sent up to {1e3 * max(played.late for played in runs):.0f} ms late")


def _play(stage: Stage, scenario: Scenario, name: str, seed: int) -> Played:
    stage.tell(f"{scenario.name}, {name}, seed {seed}")
    folder = stage.folder / stage.unique(scenario.name)
    folder.mkdir()
    # The processes inherit it; only the limiters of others read it.
    os.environ[LIMIT] = str(round(_LIMITED * _capacity(scenario)))
    played = asyncio.run(play(scenario, _ARRANGEMENTS[name], seed=seed, folder=folder, listener=_unheard))
    _clear(folder)
    return played


def _clear(folder: Path) -> None:
    for log in folder.iterdir():
        log.unlink()
    folder.rmdir()


def _unheard(_news: Tick | Note) -> None:
    """Nobody watches."""


def _capacity(scenario: Scenario) -> float:
    return next(service.capacity for service in scenario.services if service.name == BOTTLENECK)


def _goods(played: Played) -> list[int]:
    """Goodput of the overload's whole seconds."""
    begin, end = played.scenario.trouble
    return [one.good for one in played.bins()[int(begin) : int(end)]]


def _goodput(played: Played) -> float:
    return 100.0 * fmean(_goods(played)) / _capacity(played.scenario)


def _variation(span: int, played: Played) -> float:
    """By how much what is done in so many seconds varies once the brakes have had time to settle."""
    goods = _goods(played)[_ROUGH:]
    done = [float(sum(goods[at : at + span])) for at in range(0, len(goods) - span + 1, span)]
    return 100.0 * pstdev(done) / fmean(done) if any(done) else inf


def _settled(played: Played) -> float:
    """Seconds to the first of two on end that reach 95 % of the plateau, the median of the second half.

    What does not come to half of the capacity is no plateau.
    """
    goods = _goods(played)
    plateau = median(goods[len(goods) // 2 :])
    reached = (at for at, pair in enumerate(pairwise(goods)) if min(pair) >= 0.95 * plateau)
    return float(next(reached, inf)) if plateau >= 0.5 * _capacity(played.scenario) else inf


def _success(played: Played, lowest: Criticality = Criticality.SHEDDABLE) -> float:
    """Share of the requests of a class or above since the brakes have had time to settle."""
    since = played.scenario.trouble[0] + _SETTLING
    settled = [one for one in played.ended if one.intended >= since and one.criticality <= lowest]
    return 100.0 * sum(one.outcome is Outcome.OK for one in settled) / len(settled)


def _settled_share(played: Played) -> float:
    return _success(played, Criticality.CRITICAL)


def _share(criticality: Criticality, played: Played) -> float:
    return 100.0 * played.verdict(criticality).success


def _figure(label: str, unit: str, values: Sequence[float]) -> Figure:
    known = [value for value in values if isfinite(value)] or [inf]
    cuts = quantiles(known, n=20, method="inclusive") if len(known) > 1 else known
    return Figure(label, unit, median(known), cuts[0], cuts[-1], len(values))
