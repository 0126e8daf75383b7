"""The lab's scenarios along calls: a chain that retries in every layer (B14), a surge on one interface of five (B5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from tests.benchmarks.lab_runs import attempts_at, back, figure, first_finding, play, success
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.streams.broker import LocalKafka
from snowshed.streams.lab import SCENARIOS, Kafka, Outcome, Played, Scenario

__all__ = ["best_goodput", "run"]

_ARRANGEMENTS = ("off", "local", "both")
_CHAIN, _SURGE = SCENARIOS["chain"], SCENARIOS["surge"]
_SETTLING = 0.25
"""Share of the surge after which what is let in is compared with the oracle's."""
_TINY = 1e-9


def run(stage: Stage) -> Section:
    """Every arrangement, the same seeds."""
    seeds = range(1, stage.often(3, 1) + 1)
    protections = stage.pick(_ARRANGEMENTS, ("off", "both"))
    figures: list[Figure] = []
    with LocalKafka() as own:
        kafka = Kafka(own.bootstrap, own)
        for protect in protections:
            figures += _chained(protect, play(stage, _CHAIN, protect, seeds, kafka))
        for protect in protections:
            figures += _surged(protect, play(stage, _SURGE, protect, seeds, kafka))
    return Section(
        "lab_graphs",
        f"`snowshed lab run {_CHAIN.name}` and `{_SURGE.name}`, seeds 1 to {seeds[-1]}; spreads are the least and "
        "the greatest; inf is never within the minute. The oracle knows every service's capacity and lets in the mix "
        "that is answered most.",
        tuple(figures),
    )


def _chained(protect: str, runs: Sequence[Played]) -> Iterator[Figure]:
    yield figure(f"B14 chain, {protect}: attempts at the leaf a request", "", runs, attempts_at("leaf"), "≤ 1.35")
    if protect == "both":
        yield figure("… first finding or decision after the trouble's beginning", "s", runs, first_finding, "≤ 3")
    yield figure("… answered in time from the trouble on", "%", runs, success)
    yield figure("… back after the trouble's end", "s", runs, back)


def _surged(protect: str, runs: Sequence[Played]) -> Iterator[Figure]:
    yield figure(f"B5 surge, {protect}: goodput", "% of the oracle's", runs, _share, "≥ 90")
    yield figure("… with the surge's first 5 s", "% of the oracle's", runs, _share_from_the_first)
    yield figure("… of the interface that surges", "% in time", runs, lambda one: _success(one, surging=True))
    yield figure("… of the others", "% in time", runs, lambda one: _success(one, surging=False))
    yield figure("… p99 of what was answered", "s", runs, lambda one: one.verdict().p99)
    yield figure("… back after the surge's end", "s", runs, back)


def _share(played: Played) -> float:
    begin, end = played.scenario.trouble
    return _goodput(played, begin + _SETTLING * (end - begin), end)


def _share_from_the_first(played: Played) -> float:
    return _goodput(played, *played.scenario.trouble)


def _goodput(played: Played, begin: float, end: float) -> float:
    good = sum(one.outcome is Outcome.OK and begin <= one.intended < end for one in played.ended)
    return 100 * good / (best_goodput(played.scenario) * (end - begin))


def _success(played: Played, *, surging: bool) -> float:
    begin, end = played.scenario.trouble
    (surge,) = played.scenario.load.surges
    own = [one for one in played.ended if begin <= one.intended < end and (one.callee == surge.callee) is surging]
    return 100 * sum(one.outcome is Outcome.OK for one in own) / len(own)


def best_goodput(scenario: Scenario) -> float:
    """Requests a second that the best mix answers in the surge: a linear programme, solved at its corners."""
    begin, _ = scenario.trouble
    load = scenario.load
    calls = {service.name: [call.callee for call in service.calls] for service in scenario.services}
    shared = [service for service in scenario.services if not service.calls]
    # What each service bears, what is asked of each interface, and nothing below 0, as rows of `bounds` @ mix ≤ limits.
    usage = [[calls[one.callee].count(service.name) for one in load.classes] for service in shared]
    own = np.eye(len(load.classes)).tolist()
    bounds = np.array([*usage, *own, *np.negative(own).tolist()])
    limits = np.array(
        [
            *(service.capacity for service in shared),
            *(load.rate_of(one, begin) for one in load.classes),
            *(0.0 for _ in load.classes),
        ]
    )
    best = 0.0
    chosen: tuple[int, ...]
    for chosen in combinations(range(len(bounds)), len(load.classes)):
        corner = bounds[list(chosen)]
        if abs(np.linalg.det(corner)) > _TINY:
            mix = np.linalg.solve(corner, limits[list(chosen)])
            if bool((bounds @ mix <= limits + _TINY).all()):
                best = max(best, float(mix.sum()))
    return best
