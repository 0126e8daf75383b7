"""What a recorder has counted since its last report, in memory bounded by the number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from snowshed.producers.outcome import Outcome
from snowshed.schemas.sketch import LatencySketch

__all__ = ["OTHER", "Edge", "Gauge", "Group", "Row", "Slow", "Window"]

OTHER = "other"
"""Caller and operation that stand for all that found no row of their own."""

Edge = tuple[bool, str, str, str, str]
"""Measured by the callee?, caller, callee, operation, statement fingerprint. The key of a row: plain because it is
hashed at every call."""

_OK = Outcome.OK
_SLOWEST = 3
_ENOUGH_CALLS = 10
_FAILING = 0.2
_RETRYING = 0.3


@dataclass(frozen=True, slots=True)
class Slow:
    """One slow call."""

    seconds: float
    started_at: float
    edge: Edge
    outcome: Outcome
    attempt: int
    evidence: str


@dataclass(slots=True)
class Gauge:
    """Calls of one row that are under way, and the most there have been at once in this window."""

    now: int = 0
    peak: int = 0


class Group:
    """All calls to one callee: what the anomaly rules look at, and the slowest few."""

    __slots__ = ("attempts", "failed", "retries", "slow", "urgent")

    def __init__(self) -> None:
        self.attempts = 0
        self.failed = 0
        self.retries = 0
        self.slow: list[Slow] = []
        self.urgent = False

    def turns_anomalous(self) -> bool:
        """Whether, for the first time, a fifth of at least ten calls failed or three tenths of them are retries."""
        attempts = self.attempts
        if self.urgent or attempts < _ENOUGH_CALLS:
            return False
        self.urgent = self.failed >= _FAILING * attempts or self.retries >= _RETRYING * attempts
        return self.urgent

    def keep(self, slow: Slow) -> None:
        """Keep a slow call if it is among the slowest three."""
        if len(self.slow) < _SLOWEST:
            self.slow.append(slow)
            return
        least = min(range(_SLOWEST), key=lambda i: self.slow[i].seconds)
        if slow.seconds > self.slow[least].seconds:
            self.slow[least] = slow


class Row:
    """The counts of one edge, operation and statement."""

    __slots__ = (
        "attempts",
        "downstream",
        "first",
        "group",
        "hits",
        "in_flight_max",
        "local",
        "ok",
        "queue_delay_max",
        "queue_delay_sum",
        "rejected",
        "sketch",
        "timeout",
    )

    def __init__(self, group: Group) -> None:
        self.group = group
        self.first = 0
        self.attempts = 0
        self.ok = 0
        self.local = 0
        self.downstream = 0
        self.rejected = 0
        self.timeout = 0
        self.hits = 0
        self.in_flight_max = 0
        self.queue_delay_sum = 0.0
        self.queue_delay_max = 0.0
        self.sketch = LatencySketch()

    def count(self, seconds: float, outcome: Outcome, attempt: int, queue_delay: float, in_flight: int) -> None:
        """Count one call that has ended."""
        self.attempts += 1
        self.group.attempts += 1
        self.sketch.add(seconds)
        if attempt:
            self.group.retries += 1
        else:
            self.first += 1
        if outcome is _OK:
            self.ok += 1
        else:
            self.group.failed += 1
            setattr(self, outcome.value, getattr(self, outcome.value) + 1)
        # Comparisons instead of max(): this runs for every request a process makes.
        if in_flight > self.in_flight_max:  # noqa: PLR1730
            self.in_flight_max = in_flight
        if queue_delay:
            self.queue_delay_sum += queue_delay
            self.queue_delay_max = max(self.queue_delay_max, queue_delay)


class Window:
    """Counts calls by row; not safe to change from several threads at once.

    Args:
        opened_at: seconds since the epoch.
        opened: the same moment on the monotonic clock.
        rows: rows held before further ones share a row per callee, and later none.
    """

    def __init__(self, opened_at: float, opened: float, rows: int) -> None:
        self.opened_at = opened_at
        self.opened = opened
        self.folded = 0
        """Rows that were not opened because there were too many."""
        self._limit = rows
        self._rows: dict[Edge, Row] = {}
        self._groups: dict[tuple[bool, str], Group] = {}
        self.row = self._rows.get

    def __len__(self) -> int:
        return len(self._rows)

    def open_row(self, edge: Edge) -> tuple[Edge, Row]:
        """The row of an edge not met before in this window, or the one it has to share, with that row's edge."""
        if len(self._rows) >= self._limit:
            self.folded += 1
            edge = self._shared(edge)
        row = self._rows.get(edge)
        if row is None:
            row = self._rows[edge] = Row(self._group(edge))
        return edge, row

    def groups(self) -> Iterator[tuple[bool, str, Group, list[tuple[Edge, Row]]]]:
        """Per callee and vantage: measured by the callee?, the callee, its group and its rows."""
        members: dict[tuple[bool, str], list[tuple[Edge, Row]]] = {key: [] for key in self._groups}
        for edge, row in self._rows.items():
            members[edge[0], edge[2]].append((edge, row))
        for (by_callee, callee), rows in members.items():
            yield by_callee, callee, self._groups[by_callee, callee], rows

    def _shared(self, edge: Edge) -> Edge:
        by_callee, _, callee, _, _ = edge
        known = (by_callee, callee) in self._groups
        return (by_callee, OTHER, callee if known else OTHER, OTHER, "")

    def _group(self, edge: Edge) -> Group:
        return self._groups.setdefault((edge[0], edge[2]), Group())
