"""What is remembered of a callee: its open window and each caller's baseline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from snowshed.schemas.records import EdgeStatus, Vantage
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.tally import Tally, merged
from snowshed.streams.statements import Book

__all__ = ["CalleeState", "EdgeState", "opened"]


_CALM = frozenset({EdgeStatus.OK, EdgeStatus.SILENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeState:
    """One caller's edge between windows."""

    caller: str
    baseline: Baseline = field(default_factory=Baseline)
    status: EdgeStatus = EdgeStatus.OK
    since: float
    reported: float = 0.0
    """Time of the last report to the health topic."""
    last_seen: float
    """When the last window with calls closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalleeState:
    """All edges into one callee."""

    callee: str
    window_start: float
    """When the last window closed, which is when the open one began."""
    urgent: bool = False
    """Whether a reporter flushed into the open window because of an anomaly."""
    open: tuple[Tally, ...] = ()
    """What came in since, by caller and vantage."""
    edges: tuple[EdgeState, ...] = ()
    """By caller."""
    statements: Book | None = None
    """Of a database whose callers name their statements."""

    @property
    def calm(self) -> bool:
        """Whether nothing is known to be wrong."""
        return all(edge.status in _CALM for edge in self.edges)


def opened(state: CalleeState, found: Iterable[Tally], *, urgent: bool) -> CalleeState:
    """The state with more tallies in its open window."""
    tallies: dict[tuple[str, Vantage], Tally] = {(tally.caller, tally.vantage): tally for tally in state.open}
    for tally in found:
        key = (tally.caller, tally.vantage)
        held = tallies.get(key)
        tallies[key] = tally if held is None else merged(held, tally)
    ordered = sorted(tallies.values(), key=lambda tally: (tally.caller, tally.vantage.value))
    return replace(state, open=tuple(ordered), urgent=state.urgent or urgent)
