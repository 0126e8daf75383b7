"""Draws a simulated run: what was asked for, what was sent, what succeeded; and how long the queues were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snowshed.streams.plotting.picture import figure
from snowshed.streams.simulate.queueing import Scenario, Second

__all__ = ["plot_seconds"]


def plot_seconds(path: Path, run: Sequence[Sequence[Second]], scenario: Scenario) -> None:
    """Draw a run into a file.

    Args:
        path: ends in `.png` or `.svg`.
        run: its seconds, each edge by edge.
        scenario: what was run.
    """
    picture = figure(9, 6)
    upper, lower = picture.subplots(2, sharex=True)
    _calls(upper, run, scenario)
    _queues(lower, run)
    for axes in (upper, lower):
        if scenario.troubles:
            axes.axvspan(scenario.start, scenario.end, color="tab:red", alpha=0.15, label="trouble")
        axes.legend(loc="upper left", fontsize="small")
    picture.savefig(path)


def _calls(axes: Any, run: Sequence[Sequence[Second]], scenario: Scenario) -> None:
    outside = [[edge for edge in edges if (edge.caller, edge.callee) in scenario.fleet.entries] for edges in run]
    at = [edges[0].at for edges in run]
    axes.plot(at, [sum(edge.attempts for edge in edges) for edges in outside], label="attempts", color="tab:orange")
    axes.plot(
        at, [sum(edge.first + edge.cache_hits for edge in edges) for edges in outside], label="calls", color="tab:blue"
    )
    axes.plot(
        at, [sum(edge.ok + edge.cache_hits for edge in edges) for edges in outside], label="goodput", color="tab:green"
    )
    axes.set_title(scenario.description, fontsize="medium")
    axes.set_ylabel("from outside, per second")


def _queues(axes: Any, run: Sequence[Sequence[Second]]) -> None:
    for index, edge in enumerate(run[0]):
        delays = [edges[index].queue_delay_mean for edges in run]
        axes.plot([edges[index].at for edges in run], delays, label=f"{edge.caller} to {edge.callee}")
    axes.set_ylabel("queue delay, s")
    axes.set_xlabel("seconds")
