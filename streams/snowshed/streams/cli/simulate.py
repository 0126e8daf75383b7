"""`snowshed simulate`: what a fleet of queues makes of its troubles, without Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.cli.console import print_json
from snowshed.streams.cli.options import Json
from snowshed.streams.plotting.picture import require_plotting
from snowshed.streams.plotting.seconds import plot_seconds
from snowshed.streams.simulate import record_scenario
from snowshed.streams.simulate.corpus import write_corpus
from snowshed.streams.simulate.queueing import (
    NAMED,
    Scenario,
    Second,
    Summary,
    summarize,
    telemetry,
    write_intervals,
)

__all__ = ["command"]

_PARTITIONS = 2
_START = 1_790_000_000.0
"""A fixed time, so that the same seed gives the same file."""


def command(
    *,
    name: Annotated[str | None, typer.Argument(help=f"One of: {', '.join(NAMED)}.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same run.")] = 1,
    seconds: Annotated[int | None, typer.Option(min=1, help="Length (default: the scenario's own).")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write what the services report as a recording for `snowshed replay`.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the run into this .png or .svg file.")] = None,
    intervals: Annotated[
        Path | None, typer.Option(help="Write each second as JSON lines, gzipped when the name ends in .gz.")
    ] = None,
    corpus: Annotated[Path | None, typer.Option(help="Write the labelled corpus to this folder.")] = None,
    json: Json = False,
) -> None:
    """Simulate a fleet of queues and its trouble, without Kafka, and say what it came to."""
    if corpus is not None:
        size = write_corpus(corpus)
        typer.echo(f"{size / 1e6:.1f} MB in {corpus}: score the detectors with `snowshed score {corpus}`", err=True)
    if name is None:
        if corpus is None:
            raise ConfigurationError(f"say what to simulate: snowshed simulate NAME, one of {', '.join(NAMED)}")
        return
    if plot is not None:
        require_plotting(plot)
    scenario = _scenario(name, seconds)
    began = time.perf_counter()
    run = _run(scenario, seed, out)
    took = time.perf_counter() - began
    summary = summarize(run, scenario.fleet.entries, scenario.start, scenario.end)
    if plot is not None:
        plot_seconds(plot, run, scenario)
    if intervals is not None:
        write_intervals(intervals, f"{name}-{seed}", scenario, run)
    if json:
        print_json({"scenario": name, "seed": seed, "seconds": scenario.seconds, "took": took, **asdict(summary)})
    else:
        typer.echo("\n".join(_told(scenario, seed, summary, took)))


def _scenario(name: str, seconds: int | None) -> Scenario:
    try:
        scenario = NAMED[name.replace("_", "-")]
    except KeyError:
        raise ConfigurationError(f"there is no scenario {name!r}; there are {', '.join(NAMED)}") from None
    if seconds is None:
        return scenario
    if scenario.troubles and seconds <= scenario.start:
        raise ConfigurationError(
            f"--seconds {seconds} ends before the trouble of {name} begins, at {scenario.start:.0f} s: give more"
        )
    return scenario.lasting(seconds)


def _run(scenario: Scenario, seed: int, out: Path | None) -> list[tuple[Second, ...]]:
    if out is None:
        return list(scenario.run(seed))
    run: list[tuple[Second, ...]] = []
    count = record_scenario(out, telemetry(scenario, seed, _START, run.append), _PARTITIONS)
    typer.echo(f"{count} records in {out}: fold them with `snowshed replay {out}`", err=True)
    return run


def _told(scenario: Scenario, seed: int, summary: Summary, took: float) -> Iterator[str]:
    yield f"{scenario.name}, seed {seed}, {scenario.seconds} s: {scenario.description}"
    recovered = "never" if summary.recovered_at is None else f"at {summary.recovered_at:.0f} s"
    rate = summary.attempts / took * 60 / 1e6
    rows = {
        "outcome": summary.outcome,
        "trouble": f"{scenario.start:.0f} s to {scenario.end:.0f} s" if scenario.troubles else "none",
        "recovered": recovered if scenario.troubles else "nothing to recover from",
        "offered": f"{summary.offered} calls from outside, {summary.succeeded} succeeded in time",
        "goodput before": f"{summary.goodput_before:.0f} a second",
        "lost": f"{summary.lost_seconds:.1f} s of full goodput",
        "peak amplification": f"{summary.peak_amplification:.2f} attempts per call from outside",
        "speed": f"{summary.attempts} attempts in {took:.1f} s, {rate:.1f} million a minute",
    }
    yield from (f"  {label:<19}{value}" for label, value in rows.items())
