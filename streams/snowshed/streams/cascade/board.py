"""The state of one step, sorted by what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from snowshed.schemas.records import IncidentKind
from snowshed.streams.cascade.calls import Calls, Edges, calls
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.decisions import Held
from snowshed.streams.cascade.inbound import Inbound
from snowshed.streams.cascade.memory import Memory
from snowshed.streams.cascade.orders import Ordered
from snowshed.streams.cascade.sight import Sight
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.cascade.throttle import Throttle
from snowshed.streams.cascade.views import EdgeView, LagView, NodeView
from snowshed.streams.consistency import Stance, WriteThrottle
from snowshed.streams.stability.season import Season

__all__ = ["Board", "DomainState", "arranged"]

DomainState = (
    NodeView
    | Inbound
    | EdgeView
    | LagView
    | Standing
    | Season
    | Throttle
    | Case
    | Held
    | Stance
    | WriteThrottle
    | Ordered
    | Sight
)


@dataclass(frozen=True, slots=True)
class Board:
    """What the rules look at; every mapping but `callees` is in the order of its keys."""

    calls: Calls
    memory: Memory
    """What rules have worked out before."""
    nodes: dict[str, NodeView] = field(default_factory=dict[str, NodeView])
    """By node."""
    crews: dict[str, list[NodeView]] = field(default_factory=dict[str, list[NodeView]])
    """Nodes by service."""
    services: dict[str, Standing] = field(default_factory=dict[str, Standing])
    """Called services by name."""
    datasets: dict[str, list[LagView]] = field(default_factory=dict[str, list[LagView]])
    """Servers by dataset."""
    throttles: dict[str, Throttle] = field(default_factory=dict[str, Throttle])
    """By callee."""
    stances: dict[str, Stance] = field(default_factory=dict[str, Stance])
    """By dataset."""
    writes: dict[str, WriteThrottle] = field(default_factory=dict[str, WriteThrottle])
    """By dataset."""
    sights: dict[str, Sight] = field(default_factory=dict[str, Sight])
    """Callees of which reports are missing."""
    cases: dict[tuple[IncidentKind, str], Case] = field(default_factory=dict[tuple[IncidentKind, str], Case])
    """Open incidents by kind and subject."""
    cascades: dict[str, Case] = field(default_factory=dict[str, Case])
    """Those of them that are cascades, by domain."""
    incidents: dict[str, Case] = field(default_factory=dict[str, Case])
    """All of them by state key."""
    orders: dict[str, Ordered] = field(default_factory=dict[str, Ordered])
    """Operators' orders by state key."""
    held: dict[str, Held] = field(default_factory=dict[str, Held])
    """Decisions by `scope|kind`."""

    @property
    def callees(self) -> Mapping[str, Edges]:
        """Edges by callee, in the order of the first one's name."""
        return self.calls.callees

    @property
    def callers(self) -> Mapping[str, Edges]:
        """Edges by caller."""
        return self.calls.callers

    def is_open(self, kind: IncidentKind, subject: str) -> bool:
        """Whether an incident of this kind is open on the subject."""
        return (kind, subject) in self.cases

    def is_blind(self, scope: str) -> bool:
        """Whether so much is missing of what is reported on a callee, or on that of an edge, that it proves nothing."""
        sight = self.sights.get(scope.rpartition(">")[2]) if self.sights else None
        return sight is not None and sight.blind_since > 0.0


def arranged(current: Mapping[str, DomainState], memory: Memory, before: Calls | None) -> Board:
    """The board of a state, with what was worked out in the step before and the calls as they were then."""
    found: list[Inbound] = []
    others: list[str] = []
    for key in sorted(current):
        value = current[key]
        if isinstance(value, Inbound):
            found.append(value)
        else:
            others.append(key)
    board = Board(calls(found, before), memory)
    for key in others:
        _put(board, key, current[key])
    return board


def _put(board: Board, key: str, value: DomainState) -> None:
    match value:
        case Standing():
            board.services[value.service] = value
        case NodeView(health=health):
            board.nodes[health.node] = value
            board.crews.setdefault(health.service, []).append(value)
        case LagView(lag=lag):
            board.datasets.setdefault(lag.dataset, []).append(value)
        case Throttle():
            board.throttles[value.callee] = value
        case Case(incident=incident):
            board.incidents[key] = board.cases[incident.kind, incident.subject] = value
            if incident.kind is IncidentKind.CASCADE:
                board.cascades[incident.subject] = value
        case Held():
            board.held[value.key] = value
        case _:
            _put_of_scope(board, key, value)


def _put_of_scope(board: Board, key: str, value: DomainState) -> None:
    match value:
        case Stance():
            board.stances[value.dataset] = value
        case WriteThrottle():
            board.writes[value.dataset] = value
        case Sight():
            board.sights[value.callee] = value
        case Ordered():
            board.orders[key] = value
        case _:
            pass  # a season is asked for where observations come in
