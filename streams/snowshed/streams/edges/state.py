"""What is remembered of a callee: its open window and each caller's baseline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from snowshed.schemas.records import EdgeStatus, Vantage
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.losses import Reporters, dated
from snowshed.streams.edges.mute import Mute
from snowshed.streams.edges.table import STATUSES, EdgeTable
from snowshed.streams.edges.tally import Tally, merged
from snowshed.streams.statements import Book

__all__ = ["CalleeState", "EdgeState", "opened", "tabled"]


_CALM = frozenset({STATUSES.index(EdgeStatus.OK), STATUSES.index(EdgeStatus.SILENT)})


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeState:
    """One caller's edge as states had it before they had tables."""

    caller: str
    baseline: Baseline = field(default_factory=Baseline)
    status: EdgeStatus = EdgeStatus.OK
    since: float
    reported: float = 0.0
    last_seen: float


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
    """Only in what earlier releases wrote."""
    table: EdgeTable = field(default_factory=EdgeTable)
    """The edges."""
    statements: Book | None = None
    """Of a database whose callers name their statements."""
    mute: tuple[Mute, ...] = ()
    """Nodes of its callers none of whose calls succeed."""
    reporters: Reporters = field(default_factory=Reporters)
    """Who reports on it, and what of that is missing."""
    lost_at: float = 0.0
    """When something was last found to be missing; 0 for never."""

    @property
    def calm(self) -> bool:
        """Whether nothing is known to be wrong."""
        return _CALM.issuperset(self.table.status)


def opened(state: CalleeState, found: Iterable[Tally], *, urgent: bool) -> CalleeState:
    """The state with more tallies in its open window."""
    tallies: dict[tuple[str, Vantage], Tally] = {(tally.caller, tally.vantage): tally for tally in state.open}
    for tally in found:
        key = (tally.caller, tally.vantage)
        held = tallies.get(key)
        tallies[key] = tally if held is None else merged(held, tally)
    ordered = sorted(tallies.values(), key=lambda tally: (tally.caller, tally.vantage.value))
    return replace(state, open=tuple(ordered), urgent=state.urgent or urgent)


def tabled(state: CalleeState) -> CalleeState:
    """The state with its edges in a table and its reporters by the broker's clock, whichever release wrote it."""
    reporters = dated(state.reporters)
    if reporters is not state.reporters:
        state = replace(state, reporters=reporters)
    if not state.edges:
        return state
    table = EdgeTable(
        caller=tuple(edge.caller for edge in state.edges),
        first_rate=tuple(edge.baseline.first_rate for edge in state.edges),
        ok_ratio=tuple(edge.baseline.ok_ratio for edge in state.edges),
        p90=tuple(edge.baseline.p90 for edge in state.edges),
        weight=tuple(edge.baseline.weight for edge in state.edges),
        status=tuple(STATUSES.index(edge.status) for edge in state.edges),
        since=tuple(edge.since for edge in state.edges),
        reported=tuple(edge.reported for edge in state.edges),
        last_seen=tuple(edge.last_seen for edge in state.edges),
    )
    return replace(state, edges=(), table=table)
