"""What was called between two polls of a server's counters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from snowshed.producers.collectors.base import CallTimings
from snowshed.producers.collectors.statements.deltas import Snapshot, deltas, rank
from snowshed.producers.collectors.statements.report import Statement, call_timings

__all__ = ["StatementCounts"]

_KNOWN_AT_MOST = 10_000
_LONGEST_GAP = 3.0
"""Polls; what was counted over a longer gap cannot be said to have happened now."""


class StatementCounts:
    """Each statement's calls with their mean duration, the `limit` most expensive ones separately.

    A server keeps sums, so all calls of a statement between two polls share one latency: their spread is lost, and a
    quantile over a window sees a statement's mean instead of its slowest call. The others are summed by caller as
    operation OTHER, so that a caller's total stays whole. The agent's own are left out.

    Args:
        dataset: the callee of the timings.
        limit: statements reported one by one.
        period: seconds between two polls.
        described: says what statements are, by their ids, for those that the server still knows; None for the agent's
            own.
    """

    def __init__(
        self,
        *,
        dataset: str,
        limit: int,
        period: float,
        described: Callable[[AbstractSet[int]], Mapping[int, Statement | None]],
    ) -> None:
        self._dataset = dataset
        self._limit = limit
        self._period = period
        self._described = described
        self._before: Snapshot | None = None
        self._known: dict[int, Statement] = {}
        self._own: set[int] = set()

    def since(self, after: Snapshot) -> list[CallTimings]:
        """What was called since the snapshot before; nothing after the first, or after a gap."""
        before, self._before = self._before, after
        if before is None or after.monotonic - before.monotonic > _LONGEST_GAP * self._period:
            return []
        ranking = rank(deltas(before, after), without=self._own, limit=self._limit)
        self._describe({key.queryid for key, _ in ranking.top} - self._known.keys())
        calls = call_timings(ranking, self._known, without=self._own)
        if not calls:
            return []
        window = after.monotonic - before.monotonic
        return [CallTimings(callee=self._dataset, window_start=after.wall - window, window=window, calls=calls)]

    def _describe(self, queryids: AbstractSet[int]) -> None:
        """Learn what statements are; it costs the server much, so only of those not yet known."""
        if not queryids:
            return
        if len(self._known) > _KNOWN_AT_MOST:
            self._known.clear()
        for queryid, statement in self._described(queryids).items():
            if statement is None:
                self._own.add(queryid)
            else:
                self._known[queryid] = statement
