"""What shows that an edge is bad, against its limits: the queue delay, the 90th percentile, the success ratio.

The limits are those that the overload rule's text names. A single edge's signals are told, those of rows are judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan, nan

import numpy as np

from snowshed.streams.cascade.gathering import thin
from snowshed.streams.cascade.rows import Floats, Rows
from snowshed.streams.cascade.streaks import Marks, marked
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.queueing import queue_limit
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.policy import OverloadPolicy

__all__ = ["Signal", "excess", "marks", "signals"]

Signal = tuple[str, float, tuple[float, float, str]]
"""Its name, by how much it exceeds its limit, and the value, the limit and their unit."""

_FULL_SPAN = 1.0


def signals(window: EdgeWindow, baseline: Baseline, policy: OverloadPolicy) -> Iterator[Signal]:
    """The signals of one window that are known."""
    if not isnan(window.queue_delay_mean):
        limit = queue_limit(policy.queue_delay, baseline.p90)
        yield "mean queue delay", window.queue_delay_mean / limit, (window.queue_delay_mean, limit, "s")
    slow = policy.latency_factor * baseline.p90
    if slow > 0.0 and not isnan(window.p90):
        yield "p90 latency", window.p90 / slow, (window.p90, slow, "s")
    failing = policy.ok_ratio * baseline.ok_ratio
    if not isnan(failing) and not isnan(window.ok_ratio):
        yield "success ratio", (1.0 - window.ok_ratio) / (1.0 - failing), (window.ok_ratio, failing, "ratio")


def excess(rows: Rows, policy: OverloadPolicy) -> Floats:
    """The worst signal over its limit: above 1 is bad, below `exit_ratio` clear; 0 for a window too thin to judge.

    The signals are those that `signals` tells of a single edge.
    """
    window, usual = rows.window, rows.usual
    queue = np.where(usual["p90"] > policy.queue_delay, usual["p90"], policy.queue_delay)
    slow = policy.latency_factor * usual["p90"]
    with np.errstate(divide="ignore", invalid="ignore"):
        waits = window["queue_delay_mean"] / queue
        lasts = np.where(slow > 0.0, window["p90"] / slow, nan)
        fails = (1.0 - rows.ok_ratio) / (1.0 - policy.ok_ratio * usual["ok_ratio"])
    worst = np.fmax(np.fmax(waits, lasts), fails)
    return np.where(thin(rows, policy) | np.isnan(worst), 0.0, worst)


def marks(rows: Rows, values: Floats, policy: OverloadPolicy) -> Marks:
    """What windows with this excess do to streaks of bad ones; a short one too thin to judge does nothing."""
    short = (rows.window["span"] < _FULL_SPAN) & thin(rows, policy)
    return marked(bad=values > 1.0, clear=values < policy.exit_ratio, kept=short)
