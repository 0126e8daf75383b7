"""Windows without the calls of a caller's nodes that reach nobody.

Where the other nodes of a caller reach the callee, what these fail is no trouble of the callee. Left in, one node that
is cut off would make it seem gray or overloaded, and would have its inflow cut.
"""

from __future__ import annotations

from math import nan

from snowshed.schemas.records import EdgeObservations
from snowshed.streams.cascade.rows import Rows, of_record, singly
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.window import EdgeWindow

__all__ = ["reached", "without"]


def reached(record: EdgeObservations) -> tuple[Rows, list[EdgeWindow], list[Baseline]]:
    """The rows of an observation as columns, and their windows and what is usual one by one."""
    rows, (windows, usual) = of_record(record), singly(record)
    places = [int(row) for row in record.mute_edge]
    for place, calls in zip(places, record.mute_calls, strict=True):
        windows[place] = without(windows[place], calls)
    return rows.with_windows(places, [windows[place] for place in places]), windows, usual


def without(window: EdgeWindow, calls: float) -> EdgeWindow:
    """The window less so many calls, all of which failed; quantiles that they may have moved are unknown."""
    failed = window.error_local + window.error_downstream + window.timeout
    taken = min(calls, failed)
    if not taken > 0.0:
        return window
    left, attempts = 1.0 - taken / failed, window.attempts - taken
    share = taken / (window.attempts - window.rejected)
    return window._replace(
        first=window.first * attempts / window.attempts,
        attempts=attempts,
        error_local=window.error_local * left,
        error_downstream=window.error_downstream * left,
        timeout=window.timeout * left,
        p50=nan if share > 0.5 else window.p50,
        p90=nan if share > 0.1 else window.p90,
        p99=nan if share > 0.01 else window.p99,
    )
