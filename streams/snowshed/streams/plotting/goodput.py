"""Draws the arrangements of one scenario of the lab: what was answered in time, second by second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snowshed.streams.lab import Played
from snowshed.streams.plotting.picture import figure

__all__ = ["plot_goodput"]

_COLOURS = {"off": "tab:red", "seen": "tab:red", "local": "tab:orange", "central": "tab:blue", "both": "tab:green"}
_MARK = 0.02
"""Distance between the marks of two arrangements, as a share of the height."""


def plot_goodput(path: Path, runs: Sequence[Played]) -> None:
    """Draw them into a file.

    Args:
        path: ends in `.png` or `.svg`.
        runs: arrangements of one scenario.
    """
    scenario = runs[0].scenario
    picture = figure(10, 5.5)
    axes = picture.subplots()
    axes.axvspan(*scenario.trouble, color="grey", alpha=0.2, label="trouble")
    axes.plot(
        [tick.second for tick in runs[0].ticks],
        [tick.offered for tick in runs[0].ticks],
        color="grey",
        linestyle=":",
        label="asked for",
    )
    for number, played in enumerate(runs):
        _arrangement(axes, played, number)
    axes.set_title(f"{scenario.name}: {scenario.summary}", fontsize="medium", wrap=True)
    axes.set_ylabel("answered in time, per second")
    axes.set_xlabel("seconds; triangles: Snowshed found or decided something")
    axes.set_ylim(bottom=0)
    picture.legend(loc="outside lower center", ncols=len(runs) + 2, fontsize="small")
    picture.savefig(path)


def _arrangement(axes: Any, played: Played, number: int) -> None:
    colour = _COLOURS.get(played.protect)
    (drawn,) = axes.plot(
        [tick.second for tick in played.ticks],
        [tick.good for tick in played.ticks],
        color=colour,
        label=played.protect,
    )
    at = [note.at for note in played.notes if note.decided]
    axes.plot(
        at,
        [_MARK * (number + 1)] * len(at),
        marker="^",
        linestyle="none",
        color=drawn.get_color(),
        transform=axes.get_xaxis_transform(),
    )
