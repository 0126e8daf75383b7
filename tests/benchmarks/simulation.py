"""The calibrated model against its published and reference figures, and how fast the simulator is.

Run `python -m tests.benchmarks.simulation [b6|control|speed …] [--seeds N]`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median, quantiles

from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.streams.simulate.queueing import NAMED, Scenario, calibrated
from snowshed.streams.simulate.queueing.fleet import Shedding

LOCAL = partial(calibrated, shed_above=0.5)
OUTCOMES: Mapping[str, tuple[Scenario, str]] = {
    "0.45 CPU for 10 s": (calibrated(factor=0.225, seconds=120), "recovers"),
    "0.40 CPU for 10 s": (calibrated(seconds=120), "metastable"),
    "0.40 CPU for 9 s": (calibrated(trouble=9.0, seconds=120), "recovers"),
    "0.40 CPU for 10 s, 3/4 of the load": (calibrated(utilisation=0.285, seconds=120), "recovers"),
}
"""Published outcomes: OSDI 2022, a MongoDB server under retries."""
CONTROLS: Mapping[str, tuple[Scenario, str]] = {
    "none": (calibrated(), "136 of 140"),
    **{
        f"central budget after {delay} s": (calibrated(budget_after=float(delay)), reference)
        for delay, reference in ((1, "10"), (5, "10"), (10, "12.6"), (15, "20"), (30, "57"), (60, "137"))
    },
    **{
        f"local, a refusal costs {cost:.0%}": (LOCAL(reject_cost=cost), reference)
        for cost, reference in ((0.0, "7"), (0.05, "9"), (0.1, "12"), (0.2, "14"), (0.3, "19"), (0.5, "137"))
    },
    **{
        f"local and central after 2 s, {cost:.0%}": (LOCAL(reject_cost=cost, budget_after=2.0), reference)
        for cost, reference in ((0.0, "6.8"), (0.1, "8.5"), (0.2, "9.7"), (0.3, "11.5"), (0.5, "13"))
    },
    "drop what has expired": (calibrated(drops_expired=True), "8"),
    **{
        f"shed {share:.0%} at 15 s for {hold} s": (
            calibrated(shedding=Shedding(share=share, start=75.0, hold=float(hold))),
            reference,
        )
        for share, hold, reference in ((0.4, 90, "all"), (0.6, 20, "all"), (0.6, 40, "52"), (0.9, 20, "32-34"))
    },
}
"""Reference figures: seconds of full goodput lost in an earlier implementation."""


def outcomes(seeds: Sequence[int]) -> None:
    """Print how often each published outcome comes out."""
    print(f"| trouble | published | seeds that agree of {len(seeds)} | seconds lost, median (p5 to p95) |")
    print("|---|---|--:|---|")
    for name, (scenario, published) in OUTCOMES.items():
        runs = [scenario.summary(seed) for seed in seeds]
        agree = Counter(run.outcome for run in runs)[published]
        print(f"| {name} | {published} | {agree} | {_spread([run.lost_to_before for run in runs])} |", flush=True)


def controls(seeds: Sequence[int]) -> None:
    """Print what each control loses."""
    print(f"| control | reference, s lost | lost, median (p5 to p95), {len(seeds)} seeds | peak amplification |")
    print("|---|--:|---|--:|")
    for name, (scenario, reference) in CONTROLS.items():
        runs = [scenario.summary(seed) for seed in seeds]
        lost = _spread([run.lost_to_before for run in runs])
        print(f"| {name} | {reference} | {lost} | {median(run.peak_amplification for run in runs):.2f} |", flush=True)


def speed(seeds: Sequence[int]) -> None:
    """Print how many attempts a minute of processor time simulates."""
    print(
        f"| scenario | attempts | million attempts a minute of processor time, median (p5 to p95), {len(seeds)} runs |"
    )
    print("|---|--:|---|")
    for name in ("retry-storm", "retry-storm-passes", "calm", "leaf-fails"):
        attempts = NAMED[name].summary(seeds[0]).attempts
        rates = [_rate(name, seed) for seed in seeds]
        print(f"| {name} | {attempts} | {_spread(rates)} |", flush=True)


def run(stage: Stage) -> Section:
    """How fast the simulator is, and how often the published outcomes come out."""
    seeds = range(1, stage.often(20, 1) + 1)
    figures: list[Figure] = []
    for name in ("retry-storm-passes", "calm") if not stage.quick else ("calm",):
        rates = [_rate(name, seed) for seed in seeds[:5]]
        figures.append(Figure.of(f"{name}: attempts simulated", "million a minute of CPU", rates, "≥ 1"))
    for name, (scenario, published) in OUTCOMES.items() if not stage.quick else ():
        agree = [scenario.summary(seed).outcome == published for seed in seeds]
        figures.append(Figure.of(f"{name}: {published}, as published", "share of runs", [sum(agree) / len(agree)], "1"))
    return Section(
        "simulation",
        f"The queueing simulator on one thread, seeds 1 to {seeds[-1]}; speed by the first five of them.",
        tuple(figures),
    )


def _rate(name: str, seed: int) -> float:
    began = time.process_time()
    attempts = NAMED[name].summary(seed).attempts
    return attempts / (time.process_time() - began) * 60 / 1e6


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.1f}"
    cuts = quantiles(values, n=20, method="inclusive")
    return f"{median(values):.1f} ({cuts[0]:.1f} to {cuts[-1]:.1f})"


_PARTS: Mapping[str, tuple[Callable[[Sequence[int]], None], int]] = {
    "b6": (outcomes, 20),
    "control": (controls, 5),
    "speed": (speed, 5),
}


def main() -> None:
    """Run the parts named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.simulation", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], help="default: all")
    parser.add_argument("--seeds", type=int, help="so many seeds, from 1 on (default: 20 for b6, else 5)")
    arguments = parser.parse_args()
    print(f"python -m tests.benchmarks.simulation {' '.join(sys.argv[1:])}".rstrip())
    for name in arguments.parts or _PARTS:
        run, seeds = _PARTS[name]
        print(f"\n{name}, seeds 1 to {arguments.seeds or seeds}\n")
        run(range(1, (arguments.seeds or seeds) + 1))


if __name__ == "__main__":
    main()
