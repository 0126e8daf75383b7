"""What `snowshed lab` shows: a line a second, a line an event, and a table that sets arrangements side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from snowshed.schemas.propagation import Criticality
from snowshed.streams.lab import Note, Played, Scenario, Tick, Verdict

__all__ = ["comparison", "line", "table_of_scenarios"]

_WIDTH = 36
_FULL, _EMPTY = "█", "░"
_BAD, _POOR = 0.5, 0.9
_LATE = 0.25
"""Seconds by which the load may be late before it says so; in an overload 0.1 s is usual."""


def line(told: Tick | Note, rate: float) -> Text:
    """A second or an event as one line.

    Args:
        told: what was told.
        rate: requests a second that fill a bar.
    """
    return _event(told) if isinstance(told, Note) else _second(told, rate)


def _event(note: Note) -> Text:
    who, style = ("snowshed: ", "cyan") if note.decided else ("", "bold")
    return Text(f"{note.at:5.1f} s  {who}{note.text}", style=style)


def _second(tick: Tick, rate: float) -> Text:
    share = tick.good / rate
    filled = min(_WIDTH, round(share * _WIDTH))
    style = "red" if share < _BAD else "yellow" if share < _POOR else "green"
    waiting = ", ".join(f"{name} {size}" for name, size in tick.queues.items() if size)
    return Text.assemble(
        f"{tick.second:3d}   s  ",
        (_FULL * filled, style),
        (_EMPTY * (_WIDTH - filled), "dim"),
        f" {tick.good:4d} in time of {tick.offered}, {tick.attempts} sent",
        (f"; waiting: {waiting}" if waiting else "", "dim"),
    )


def comparison(runs: Sequence[Played]) -> RenderableType:
    """What each arrangement came to, as a whole and by class."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("protection", "class"):
        table.add_column(name)
    for name in ("back after", "lost", "in time", "p50", "p99", "worst second"):
        table.add_column(name, justify="right")
    for played in runs:
        for row in _rows(played):
            table.add_row(*row)
    begin, end = runs[0].scenario.trouble
    said = f"\nsince the trouble began at {begin:g} s; it ended at {end:g} s; expected: {runs[0].scenario.expected}"
    slow = [Text(_slow(played), style="yellow") for played in runs if played.late > _LATE]
    return Group(table, Text(said, style="dim"), *slow)


def _slow(played: Played) -> str:
    return (
        f"{played.protect}: this machine was too busy for its load, which sent requests up to {played.late:.1f} s "
        "late; its figures say little; end what else runs here, or play it on a faster one"
    )


def _rows(played: Played) -> Iterator[tuple[str, ...]]:
    yield (played.protect, "all", *_cells(played.verdict()))
    if len(played.classes) > 1:
        for criticality in played.classes:
            yield ("", Criticality(criticality).name, *_cells(played.verdict(criticality)))


def _cells(verdict: Verdict) -> tuple[str, ...]:
    back = "never" if verdict.recovered_after is None else f"{verdict.recovered_after:.0f} s"
    return (
        back,
        "?" if isnan(verdict.lost) else f"{verdict.lost:.1f} s",
        _share(verdict.success),
        _time(verdict.p50),
        _time(verdict.p99),
        _share(verdict.worst),
    )


def _share(value: float) -> str:
    return "?" if isnan(value) else f"{value:.1%}"


def _time(seconds: float) -> str:
    if isnan(seconds):
        return "–"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.0f} ms"


def table_of_scenarios(scenarios: Sequence[Scenario]) -> RenderableType:
    """What can be played."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_lines=True)
    for name in ("name", "what happens", "what is expected"):
        table.add_column(name)
    for one in scenarios:
        table.add_row(one.name, one.summary, one.expected)
    return table
