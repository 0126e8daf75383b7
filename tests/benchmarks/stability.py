"""How well and how fast level 2 tells metastable states and cascades, and what that costs.

Run `python -m tests.benchmarks.stability [--seeds N] [PART …]`; parts are outcomes, level2, cascade, cusum and board.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import isnan, nan
from statistics import median

import numpy as np
from numpy.typing import NDArray
from tests.benchmarks import shown
from tests.benchmarks.board import board
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage
from tests.unit.streams.stability.driving import folded, judged, plain

from snowshed.schemas.records import IncidentKind
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.policy import ChangePolicy, Policy, ServicePolicy
from snowshed.streams.simulate.queueing import NAMED, Scenario, Second, calibrated
from snowshed.streams.simulate.queueing.troubles import CapacityLoss, Spike
from snowshed.streams.stability.course import Verdict
from snowshed.streams.stability.robust import Robust, learned

Cases = Mapping[str, Scenario]
_CAPACITY = 2000.0


def _model(*, utilisation: float = 0.38, factor: float = 0.2, trouble: float = 10.0, seconds: int = 130) -> Scenario:
    return calibrated(utilisation=utilisation, factor=factor, trouble=trouble, seconds=seconds, capacity=_CAPACITY)


PUBLISHED: Cases = {
    "0.45 CPU 10 s (recovers)": _model(factor=0.225),
    "0.40 CPU 10 s (metastable)": _model(),
    "0.40 CPU 9 s (recovers)": _model(trouble=9.0),
    "0.40 CPU 10 s, 3/4 load (recovers)": _model(utilisation=0.285),
}
_SPIKE = _model(factor=1.0, utilisation=0.6)
OTHERS: Cases = {
    "cold cache": NAMED["cold-cache"],
    "capacity loss stays, 0.2 of it left": _model(trouble=70.0),
    "capacity loss stays, load 0.7, half left": _model(utilisation=0.7, factor=0.5, trouble=70.0),
    "surge to 2.5 times for 10 s, load 0.6": replace(
        _SPIKE, troubles=(Spike(caller="client", callee="server", factor=2.5, start=60.0, seconds=10.0),)
    ),
    "capacity comes back to 0.45 only": replace(
        _model(),
        troubles=(
            CapacityLoss(service="server", factor=0.2, start=60.0, seconds=10.0),
            CapacityLoss(service="server", factor=0.45, start=70.0, seconds=60.0),
        ),
    ),
}


def outcomes(seeds: int) -> Iterator[str]:
    """The judge alone, beside an alarm on goodput below 0.7 of the usual for 10 s."""
    yield (
        "| case | down at the end | metastable | s after the trigger's end, median (p5–p95) | named | capacity loss |"
        " plain alarm |"
    )
    yield "|---|--:|--:|--:|---|--:|--:|"
    for name, scenario in {**PUBLISHED, **OTHERS}.items():
        runs = [[second[0] for second in scenario.run(seed)] for seed in range(seeds)]
        end = scenario.troubles[0].start + scenario.troubles[0].seconds
        found = [judged(run) for run in runs]
        waits = [verdict.at(Verdict.METASTABLE) - end for verdict in found if Verdict.METASTABLE in verdict.first]
        named = Counter(
            effect.value for one in found if (effect := one.first.get(Verdict.METASTABLE, (nan, None))[1]) is not None
        )
        losses = sum(Verdict.CAPACITY_LOSS in one.first for one in found)
        alarms = sum(not isnan(plain(run, 10.0)) for run in runs)
        yield (
            f"| {name} | {sum(map(_down, runs))}/{seeds} | {len(waits)}/{seeds} | {shown.spread(waits)} |"
            f" {shown.counted(named)} | {losses}/{seeds} | {alarms}/{seeds} |"
        )
    yield from _swept(seeds)


def _swept(seeds: int) -> Iterator[str]:
    """Loads and troubles drawn at random, judged against what became of them."""
    generator = np.random.default_rng(20_261_125)
    tally: Counter[tuple[bool, bool]] = Counter()
    tally_plain: Counter[tuple[bool, bool]] = Counter()
    for seed in range(5 * seeds):
        load, factor, trouble = generator.uniform(0.3, 0.7), generator.uniform(0.15, 0.6), generator.uniform(3.0, 20.0)
        scenario = _model(utilisation=load, factor=factor, trouble=trouble, seconds=150)
        run = [second[0] for second in scenario.run(1000 + seed)]
        down = _down(run)
        tally[down, Verdict.METASTABLE in judged(run).first] += 1
        tally_plain[down, not isnan(plain(run, 10.0))] += 1
    for name, counts in (("the judge", tally), ("the plain alarm", tally_plain)):
        said, stuck = counts[True, True] + counts[False, True], counts[True, True] + counts[True, False]
        yield (
            f"\nRandom troubles ({5 * seeds}, load 0.3–0.7, 0.15–0.6 of the capacity left for 3–20 s): {name} says"
            f" metastable {said} times, {counts[False, True]} of them wrongly,"
            f" and finds {counts[True, True]} of {stuck}."
        )


def _down(run: list[Second]) -> bool:
    """Whether goodput is below 0.7 of the usual in the last ten seconds."""
    usual = sum(row.ok + row.cache_hits for row in run[20:60]) / 40
    return sum(row.ok + row.cache_hits for row in run[-10:]) < 7 * usual


def level2(seeds: int) -> Iterator[str]:
    """The same outcomes through the fold, its rules and its own baselines: incidents instead of verdicts."""
    yield "| case | METASTABLE opened | s after the trigger's end | any other kind first opened, s after its start |"
    yield "|---|--:|--:|---|"
    for name, scenario in PUBLISHED.items():
        waits: list[float] = []
        first: dict[str, list[float]] = {}
        for seed in range(seeds):
            for second, opened, _ in folded(scenario, seed):
                for incident in opened:
                    if incident.kind is IncidentKind.METASTABLE:
                        waits.append(second[0].at - scenario.end)
                    else:
                        first.setdefault(incident.kind.value, []).append(second[0].at - scenario.start)
        others = ", ".join(f"{kind} {median(times):.0f} ({len(times)})" for kind, times in sorted(first.items()))
        yield f"| {name} | {len(waits)}/{seeds} | {shown.spread(waits)} | {others} |"


def cascade(seeds: int) -> Iterator[str]:
    """A chain of three services, each called up to four times, whose last one fails."""
    services = {name: ServicePolicy(concurrency=100.0) for name in ("front", "middle", "leaf")}
    policy = Policy(services=services)
    amplified: list[float] = []
    spread: list[float] = []
    paths: list[float] = []
    warned: list[float] = []
    for seed in range(seeds):
        begun = opened_at = nan
        path, told, front = 1.0, nan, nan
        for second, opened, domain in folded(NAMED["leaf-fails"], seed, policy):
            at, leaf = second[0].at, second[-1]
            if isnan(begun) and at > 60.0 and leaf.attempts >= 1.2 * max(leaf.first, 1):
                begun = at - 1.0
            if isnan(opened_at) and any(one.kind is IncidentKind.RETRY_AMPLIFICATION for one in opened):
                opened_at = at
                amplified.append(at - begun)
            if any(one.kind is IncidentKind.CASCADE for one in opened):
                spread.append(at - 60.0)
            case = domain.state.get("incident/cascade/default")
            summary = case.incident.summary if isinstance(case, Case) else ""
            if isnan(told) and "next" in summary:
                told = at
            standing = domain.state.get("service/front")
            if isnan(front) and isinstance(standing, Standing) and standing.anomalous_since:
                front = at
            factors = [row.attempts / row.first for row in second if row.first]
            path = max(path, float(np.prod(factors)))
        paths.append(path)
        warned.append(front - told)
    yield f"retry alarm after amplification begins: {shown.spread(amplified)} s, {len(amplified)}/{seeds}"
    yield f"CASCADE after the fault begins: {shown.spread(spread)} s, {len(spread)} openings in {seeds} runs"
    yield f"largest path factor in a second (bound 64): {shown.spread(paths)}"
    known = [lead for lead in warned if not isnan(lead)]
    yield f"a next victim named before the entry service failed: {shown.spread(known)} s ahead, {len(known)}/{seeds}"
    false = {
        name: _opened(NAMED[name], max(seeds // 4, 3)) for name in ("calm", "benign-spike", "deploy", "daily-curve")
    }
    for name, kinds in false.items():
        yield f"{name}, {max(seeds // 4, 3)} runs: {shown.counted(kinds)}"


def _opened(scenario: Scenario, seeds: int) -> Counter[str]:
    return Counter(
        incident.kind.value for seed in range(seeds) for _, opened, _ in folded(scenario, seed) for incident in opened
    )


def cusum(seeds: int) -> Iterator[str]:
    """Windows until a false alarm, of many series at once that stay in control."""
    policy, series = ChangePolicy(), 50 * seeds
    generator = np.random.default_rng(7)
    yield "| series in control | mean run, windows | median | alarms of runs (end 60 000) |"
    yield "|---|--:|--:|--:|"
    makers: dict[str, Callable[[], NDArray[np.floating]]] = {
        "normal, exact baseline": lambda: generator.standard_normal(series),
        "Poisson of 100, exact baseline": lambda: (generator.poisson(100.0, series) - 100.0) / 10.0,
        "log-normal of 0.3, median and MAD": lambda: (
            (np.exp(0.3 * generator.standard_normal(series)) - 1.0) / (1.4826 * 0.2000)
        ),
    }
    for name, draw in makers.items():
        yield _run_lengths(name, draw, np.zeros(series), np.ones(series), policy)
    for warm in (10, 600):
        places, scales = _learned(generator, series, warm, policy)
        draw = makers["normal, exact baseline"]
        yield _run_lengths(f"normal, baseline learned over {warm} windows, then frozen", draw, places, scales, policy)


def _learned(
    generator: np.random.Generator, series: int, windows: int, policy: ChangePolicy
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found: list[Robust] = []
    for _ in range(series):
        held = Robust()
        # A rate of 20 with deviation 1 keeps the floor of the scale, 3 % of the location, out of it.
        for value in generator.normal(20.0, 1.0, windows).tolist():
            held = learned(held, value, policy)
        found.append(held)
    return np.array([one.location - 20.0 for one in found]), np.array([one.scale(policy) for one in found])


def _run_lengths(
    name: str,
    draw: Callable[[], NDArray[np.floating]],
    places: NDArray[np.float64],
    scales: NDArray[np.float64],
    policy: ChangePolicy,
) -> str:
    end = 60_000
    total, length = np.zeros(len(places)), np.full(len(places), end)
    for window in range(1, end + 1):
        total = np.maximum(0.0, total + (draw() - places) / scales - policy.drift)
        alarmed = (total >= policy.threshold) & (length == end)
        length[alarmed] = window
        if window % 1000 == 0 and (length < end).all():
            break
    alarms = int((length < end).sum())
    # The runs that were cut off count with their time: the mean of an exponential law under censoring.
    mean = length.sum() / max(alarms, 1)
    return f"| {name} | {mean:.0f} | {np.median(length):.0f} | {alarms}/{len(places)} |"


def run(stage: Stage) -> Section:
    """How long after its trigger's end a metastable state is declared, and how often wrongly."""
    seeds = stage.often(20, 1)
    figures: list[Figure] = []
    for name, scenario in PUBLISHED.items() if not stage.quick else [*PUBLISHED.items()][1:2]:
        found = [judged(second[0] for second in scenario.run(seed)) for seed in range(seeds)]
        said = [float(Verdict.METASTABLE in verdict.first) for verdict in found]
        figures.append(Figure.of(f"{name}: declared metastable", "share of runs", [sum(said) / seeds]))
        waits = [
            verdict.at(Verdict.METASTABLE) - scenario.end for verdict in found if Verdict.METASTABLE in verdict.first
        ]
        if waits:
            figures.append(Figure.of(f"{name}: from the trigger's end", "s", waits, "≤ 10"))
    return Section(
        "stability",
        f"The published outcomes of a MongoDB server (OSDI 2022) by the calibrated model at {_CAPACITY:.0f} requests a "
        f"second, seeds 0 to {seeds - 1}, judged second by second.",
        tuple(figures),
    )


PARTS: Mapping[str, Callable[[int], Iterator[str]]] = {
    "outcomes": outcomes,
    "level2": level2,
    "cascade": cascade,
    "cusum": cusum,
    "board": board,
}


def main() -> None:
    """Run the parts named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.stability", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    for name in arguments.parts or PARTS:
        print(f"\n## {name}, seeds 0 to {arguments.seeds - 1}\n", flush=True)
        for line in PARTS[name](arguments.seeds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
