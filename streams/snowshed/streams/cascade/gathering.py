"""Windows of a quiet edge joined until there are enough calls to judge by.

Twenty calls are what a verdict needs, not twenty a second: the rule that the number comes from counts them over ten
seconds. An edge with ten calls a second is judged every other window, by all of its calls and no call twice. What has
not enough calls within `OverloadPolicy.gathers` seconds is not judged.
"""

from __future__ import annotations

from math import isnan, nan

import numpy as np

from snowshed.streams.cascade.rows import Bools, Rows
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.policy import OverloadPolicy

__all__ = ["full", "gathered", "is_thin", "thin"]

_FULL_SPAN = 1.0


def gathered(held: EdgeWindow | None, window: EdgeWindow) -> EdgeWindow:
    """The windows so far with one more."""
    if held is None:
        return window
    return window._replace(
        span=held.span + window.span,
        first=held.first + window.first,
        attempts=held.attempts + window.attempts,
        ok=held.ok + window.ok,
        error_local=held.error_local + window.error_local,
        error_downstream=held.error_downstream + window.error_downstream,
        rejected=held.rejected + window.rejected,
        timeout=held.timeout + window.timeout,
        in_flight_max=max(held.in_flight_max, window.in_flight_max),
        queue_delay_mean=_mean(held, window, held.queue_delay_mean, window.queue_delay_mean),
        queue_delay_max=max(held.queue_delay_max, window.queue_delay_max),
        # Quantiles of windows do not add up; weighted by their calls, they are near enough.
        p50=_mean(held, window, held.p50, window.p50),
        p90=_mean(held, window, held.p90, window.p90),
        p99=_mean(held, window, held.p99, window.p99),
        completions=held.completions + window.completions,
        cache_hits=held.cache_hits + window.cache_hits,
    )


def is_thin(window: EdgeWindow, policy: OverloadPolicy) -> bool:
    """Whether too few calls reached the callee; urgent windows are a fraction of a second and need that fraction."""
    return window.attempts - window.rejected < policy.minimum_attempts * min(_FULL_SPAN, window.span)


def thin(rows: Rows, policy: OverloadPolicy) -> Bools:
    """The same of rows."""
    return rows.admitted < policy.minimum_attempts * np.minimum(_FULL_SPAN, rows.window["span"])


def full(rows: Rows, policy: OverloadPolicy) -> Bools:
    """Whether rows are to be judged now, although they may still be too thin for a verdict."""
    return ~thin(rows, policy) | (rows.window["span"] >= policy.gathers)


def _mean(held: EdgeWindow, window: EdgeWindow, before: float, now: float) -> float:
    if isnan(before) or isnan(now):
        return now if isnan(before) else before
    calls = held.attempts + window.attempts
    return (before * held.attempts + now * window.attempts) / calls if calls > 0.0 else nan
