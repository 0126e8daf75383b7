"""Streams of other makers: do alarms ring in time and only then, and is the culprit named first?

Run `python -m tests.benchmarks.foreign.run [--seeds N] [--part dev]`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.benchmarks.foreign.judging import BASELINES, Judged, Score, judge, scored
from tests.benchmarks.foreign.shapes import SHAPES, Shape

__all__ = ["table"]


def table(part: str, seeds: int, *, only: str = "", verbose: bool = False) -> Iterator[str]:
    """The scores by shape and of all, as rows of a Markdown table."""
    yield (
        f"| {part} | rings | intervals to it | false alarms a day | top-1, alarm given | at random | mean list |"
        + (" empty | top-1, own alarm | " + " | ".join(BASELINES) + " |")
    )
    yield "|---|" + "--:|" * (8 + len(BASELINES))
    everything: list[Judged] = []
    shapes = [shape for shape in SHAPES if only in shape.name]
    with ProcessPoolExecutor(2) as pool:
        for shape, judged in zip(
            shapes, pool.map(_judged, shapes, [part] * len(shapes), [seeds] * len(shapes)), strict=True
        ):
            everything += judged
            yield _row(shape.name, scored(judged))
            if verbose:
                yield from map(_told, judged)
    yield _row("**all**", scored(everything))


def _judged(shape: Shape, part: str, seeds: int) -> list[Judged]:
    return [judge(case) for case in shape.cases(part, seeds)]


def _row(name: str, score: Score) -> str:
    cells = (
        name,
        f"{score.rings:.2f}",
        f"{score.delay:.0f}",
        f"{score.false / score.days:.1f} ({score.false} in {score.days:.1f} d)",
        f"**{score.top['given']:.2f}**",
        f"{score.chance:.2f}",
        f"{score.length:.1f}",
        f"{score.empty:.2f}",
        f"{score.top['found']:.2f}",
        *(f"{score.top[name]:.2f}" for name in BASELINES),
    )
    return f"| {' | '.join(cells)} |"


def _told(one: Judged) -> str:
    case = one.case
    rung = "-" if (wait := one.rung) is None else f"{wait / case.dt:.0f}"
    return (
        f"    {case.id.rpartition('-')[2]} {case.fault or 'calm':10s} {case.culprit:6s} rung {rung} false {one.false} "
        f"given {','.join(one.given)} own {','.join(one.found)} z {','.join(one.baselines.get('largest z', ()))}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=14)
    parser.add_argument("--part", default="dev")
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    for line in table(arguments.part, arguments.seeds, only=arguments.only, verbose=arguments.verbose):
        print(line, flush=True)


if __name__ == "__main__":
    main()
