"""How well t-visibility is estimated when part of the writes is never seen, against truth: `python -m` this module.

Delays are drawn from the fits published with PBS (N = 3, R = W = 1; the delay of a pair of write and replica is W). Two
ways not to see a write, each with 5, 20 and 50 % unseen:

* `ends`: looking ended after an exponential time that has nothing to do with the delay;
* `hangs`: the write never comes while it is looked for, as at a replica that hangs. Truth is then that share later.

Four estimates: Kaplan and Meier's from the pairs; the same from the histogram that a worker keeps; unseen writes left
out; unseen writes taken as seen when last looked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import cache
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.streams.lag.delays import PROFILES
from snowshed.streams.lag.histogram import bin_of, curve, merged
from snowshed.streams.lag.staleness import Quorum, what_if
from snowshed.streams.lag.visibility import Estimate, Floats, kaplan_meier

_SHARES = (0.5, 0.99, 0.999)
_UNSEEN = (0.05, 0.20, 0.50)
_TRUTH = 4_000_000
_SHOWN = "disk"
"""Whose figures the page shows; `python -m` this module prints all."""


class Pairs(NamedTuple):
    """What an observer has: a delay or an age, and which of both."""

    seconds: Floats
    seen: NDArray[np.bool_]


class Run(NamedTuple):
    """One share's time by the four estimates."""

    mine: Estimate
    binned: Estimate
    left_out: float
    as_seen: float
    window: float


class _Measured(NamedTuple):
    """All runs of a case."""

    unseen: float
    runs: list[list[Run]]


def run(stage: Stage) -> Section:
    """How far estimates of t-visibility are from the truth, with what a worker keeps beside all the pairs."""
    seeds, pairs = stage.often(40, 3), stage.pick(20_000, 2_000)
    figures = [
        figure
        for way, observe in _WAYS
        for unseen in _UNSEEN
        for figure in _figures(way, _measured(_SHOWN, observe, unseen, seeds, pairs), _truths(_SHOWN, way, unseen))
    ]
    setting = (
        f"Seeds 0 to {seeds - 1}, {pairs} writes each, delays as on spinning disks (PBS's fit for LinkedIn's); "
        "error = estimate / truth − 1 over the runs in which the estimate is settled. `ends`: looking ended after a "
        "time that has nothing to do with the delay; `hangs`: the write never came."
    )
    return Section("visibility", setting, tuple(figures))


def _figures(way: str, found: _Measured, truths: Sequence[float | None]) -> list[Figure]:
    figures: list[Figure] = []
    for index, share in enumerate(_SHARES[:2]):
        truth = truths[index]
        if truth is None:
            continue
        for form, pick in (("pairs", _exact), ("histogram", _binned)):
            errors = [100 * error for error in _errors([pick(run[index]) for run in found.runs], truth)]
            if errors:
                label = f"{way}, {found.unseen:.0%} unseen, t{100 * share:g}, {form}"
                figures.append(Figure.of(label, "% error", errors))
    return figures


def _exact(run: Run) -> Estimate:
    return run.mine


def _binned(run: Run) -> Estimate:
    return run.binned


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=20_000)
    options = parser.parse_args()
    print(
        f"{options.seeds} seeds, {options.pairs} pairs each; error = estimate / truth − 1, median [smallest, largest]"
    )
    _print_reference()
    for profile in PROFILES:
        for way, observe in _WAYS:
            for unseen in _UNSEEN:
                _print_case(profile, way, observe, unseen, options.seeds, options.pairs)


def _print_reference() -> None:
    print("\n| profile | R | W | fresh at commit | 99.9 % visible, ms |\n|---|--:|--:|--:|--:|")
    for profile, legs in PROFILES.items():
        for read, write in ((1, 1), (1, 2), (2, 1)):
            outcome = what_if(legs, Quorum(3, read, write), np.random.default_rng(0), 400_000)
            fresh, visible = outcome.fresh(0.0), outcome.visible(0.999) * 1e3
            print(f"| {profile} | {read} | {write} | {fresh:.1%} | {visible:.2f} |")
    print(
        "\n| profile | unseen because | unseen | t | truth, ms | Kaplan–Meier | from the histogram | not settled |"
        " band holds truth | left out | seen at last look |\n|---|---|--:|---|--:|---|---|--:|--:|--:|--:|"
    )


def _print_case(  # noqa: PLR0917 - the row of a table
    profile: str, way: str, observe: Callable[..., Pairs], unseen: float, seeds: int, pairs: int
) -> None:
    found = _measured(profile, observe, unseen, seeds, pairs)
    for index, (share, truth) in enumerate(zip(_SHARES, _truths(profile, way, unseen), strict=True)):
        label = f"t{100 * share:g}"
        _print_row(f"| {profile} | {way} | {unseen:.0%} | {label} ", truth, [run[index] for run in found.runs])


@cache
def _drawn(profile: str) -> Floats:
    """Many delays, ascending: the truth."""
    return np.sort(PROFILES[profile].write.draw(np.random.default_rng(999), (_TRUTH, 1)).ravel())


def _truths(profile: str, way: str, unseen: float) -> list[float | None]:
    reached = [share if way == "ends" else share / (1.0 - unseen) for share in _SHARES]
    return [float(np.quantile(_drawn(profile), share)) if share < 1.0 else None for share in reached]


def _measured(profile: str, observe: Callable[..., Pairs], unseen: float, seeds: int, pairs: int) -> _Measured:
    scale = _scale_for(_drawn(profile)[:: _TRUTH // 20_000], unseen)
    runs: list[list[Run]] = []
    for seed in range(seeds):
        generator = np.random.default_rng(seed)
        drawn = PROFILES[profile].write.draw(generator, (pairs, 1)).ravel()
        runs.append(_estimates(observe(drawn, unseen, scale, generator)))
    return _Measured(unseen, runs)


def _print_row(head: str, truth: float | None, runs: Sequence[Run]) -> None:
    unsettled = sum(not run.mine.settled for run in runs) / len(runs)
    held = sum(_holds(run, truth) for run in runs) / len(runs)
    others = [median(run.left_out for run in runs), median(run.as_seen for run in runs)]
    if truth is None:
        said = " | ".join(f"says {other * 1e3:.3g} ms" for other in others)
        print(f"{head}| never | – | – | {unsettled:.0%} | {held:.0%} | {said} |")
        return
    spread, binned = (_spread(_errors([pick(run) for run in runs], truth)) for pick in (_exact, _binned))
    naive = " | ".join(f"{other / truth - 1:+.1%}" for other in others)
    print(f"{head}| {truth * 1e3:.4g} | {spread} | {binned} | {unsettled:.0%} | {held:.0%} | {naive} |")


def _errors(estimates: Sequence[Estimate], truth: float) -> list[float]:
    return [one.value / truth - 1 for one in estimates if one.settled and one.value is not None]


def _spread(errors: Sequence[float]) -> str:
    return f"{median(errors):+.1%} [{min(errors):+.1%}, {max(errors):+.1%}]" if errors else "–"


def _holds(run: Run, truth: float | None) -> bool:
    """Whether the band holds the truth; an end beyond the window says no more than that."""
    low = run.window if run.mine.low is None else run.mine.low
    high = np.inf if run.mine.high is None else run.mine.high
    return bool(low <= (np.inf if truth is None else truth) <= high)


def _estimates(pairs: Pairs) -> list[Run]:
    exact = kaplan_meier(pairs.seconds, pairs.seen)
    rows = zip(pairs.seconds.tolist(), pairs.seen.tolist(), strict=True)
    binned = curve(merged((bin_of(seconds), float(seen), float(not seen)) for seconds, seen in rows))
    left_out: Floats = pairs.seconds[pairs.seen]
    as_seen = pairs.seconds
    return [
        Run(
            exact.quantile(share),
            binned.quantile(share),
            float(np.quantile(left_out, share)),
            float(np.quantile(as_seen, share)),
            exact.window,
        )
        for share in _SHARES
    ]


def _ends(delays: Floats, _: float, scale: float, generator: np.random.Generator) -> Pairs:
    ages = generator.exponential(scale, delays.shape)
    return Pairs(np.minimum(delays, ages), np.less_equal(delays, ages))


def _hangs(delays: Floats, unseen: float, _: float, generator: np.random.Generator) -> Pairs:
    """Markers of ten minutes; those that hang are as old as the time since they were written."""
    hangs = generator.random(delays.shape) < unseen
    ages = generator.uniform(0.0, 600.0, delays.shape)
    ages = np.maximum(ages, delays * 1.001)  # what is not hanging has been looked for long enough
    return Pairs(np.where(hangs, ages, delays), ~hangs)


_WAYS: tuple[tuple[str, Callable[..., Pairs]], ...] = (("ends", _ends), ("hangs", _hangs))


def _scale_for(delays: Floats, unseen: float) -> float:
    """Mean of the exponential ages that leave this share unseen, by bisection."""
    low, high = 1e-7, 1e5
    for _ in range(80):
        middle = (low * high) ** 0.5
        share = 1.0 - float(np.exp(-delays / middle).mean())
        low, high = (middle, high) if share > unseen else (low, middle)
    return high


if __name__ == "__main__":
    main()
