"""Draws a simulated run: what was asked for, what was sent, what succeeded; and how long the queues were."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.simulate.queueing import Scenario, Second

__all__ = ["plot_seconds", "require_plotting"]

_FORMATS = (".png", ".svg")


def require_plotting(path: Path) -> None:
    """See that a picture can be drawn, before a long run.

    Raises:
        ConfigurationError: the library is not installed, or the file's name has another ending.
    """
    if path.suffix not in _FORMATS:
        raise ConfigurationError(f"--plot {path}: the name must end in {' or '.join(_FORMATS)}")
    if find_spec("matplotlib") is None:
        raise ConfigurationError('--plot needs matplotlib: pip install "snowshed[plot]"')


def plot_seconds(path: Path, run: Sequence[Sequence[Second]], scenario: Scenario) -> None:
    """Draw a run into a file.

    Args:
        path: ends in `.png` or `.svg`.
        run: its seconds, each edge by edge.
        scenario: what was run.
    """
    figure_module = import_module("matplotlib.figure")
    figure: Any = figure_module.Figure(figsize=(9, 6), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True)
    _calls(upper, run, scenario)
    _queues(lower, run)
    for axes in (upper, lower):
        if scenario.troubles:
            axes.axvspan(scenario.start, scenario.end, color="tab:red", alpha=0.15, label="trouble")
        axes.legend(loc="upper left", fontsize="small")
    figure.savefig(path)


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
