"""Draws one recording under two policies: incidents and decisions as bars, A above B."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snowshed.streams.plotting.picture import figure
from snowshed.streams.replay import Comparison, Span

__all__ = ["plot_comparison"]

_COLOURS = ("tab:blue", "tab:orange")
_BAR = 0.38
_AFTER = 10.0
"""Seconds that are shown behind the last moment, where spans that had not ended run to."""


def plot_comparison(path: Path, found: Comparison, names: tuple[str, str]) -> None:
    """Draw a comparison into a file.

    Args:
        path: ends in `.png` or `.svg`.
        found: what to draw.
        names: the policies.
    """
    spans = list(_by_policy(found))
    rows = list(dict.fromkeys(span.key for _, span in sorted(spans, key=lambda each: each[1].begun)))
    start = min((span.begun for _, span in spans), default=0.0)
    end = max((span.ended or span.begun for _, span in spans), default=0.0) + _AFTER
    picture = figure(9, 1.5 + 0.4 * max(len(rows), 2))
    axes = picture.subplots()
    for policy, span in spans:
        until = end if span.ended is None else span.ended
        _bar(axes, policy, span, rows.index(span.key), (span.begun - start, until - span.begun))
    for policy, name in enumerate(names):
        axes.plot([], [], color=_COLOURS[policy], linewidth=6, label=f"{'AB'[policy]}: {name}")
    axes.set_yticks(range(len(rows)), [f"{what} {kind}\n{subject}" for what, kind, subject in rows], fontsize="small")
    axes.invert_yaxis()
    axes.set_xlabel("seconds from the first of them")
    picture.legend(loc="outside lower center", ncols=2, fontsize="small")
    picture.savefig(path)


def _by_policy(found: Comparison) -> Iterator[tuple[int, Span]]:
    yield from ((0, span) for span in found.only_a)
    yield from ((1, span) for span in found.only_b)
    for pair in (*found.changed, *found.same):
        yield 0, pair.a
        yield 1, pair.b


def _bar(axes: Any, policy: int, span: Span, row: int, extent: tuple[float, float]) -> None:
    axes.broken_barh(
        [extent],
        (row - _BAR + policy * _BAR, _BAR),
        facecolor=_COLOURS[policy],
        alpha=1.0 if span.what == "incident" else 0.6,
    )
