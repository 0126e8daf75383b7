"""The state of one step, sorted by what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from snowshed.schemas.records import IncidentKind
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.decisions import Held
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
    """What the rules look at; every mapping is in the order of its keys."""

    nodes: dict[str, NodeView] = field(default_factory=dict[str, NodeView])
    """By node."""
    callees: dict[str, list[EdgeView]] = field(default_factory=dict[str, list[EdgeView]])
    """Edges by callee."""
    callers: dict[str, list[EdgeView]] = field(default_factory=dict[str, list[EdgeView]])
    """Edges by caller."""
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
    held: dict[str, Held] = field(default_factory=dict[str, Held])
    """Decisions by `scope|kind`."""

    def is_open(self, kind: IncidentKind, subject: str) -> bool:
        """Whether an incident of this kind is open on the subject."""
        return (kind, subject) in self.cases

    def is_blind(self, scope: str) -> bool:
        """Whether so much is missing of what is reported on a callee, or on that of an edge, that it proves nothing."""
        sight = self.sights.get(scope.rpartition(">")[2]) if self.sights else None
        return sight is not None and sight.blind_since > 0.0


def arranged(current: Mapping[str, DomainState]) -> Board:
    """The board of a state."""
    board = Board()
    for key in sorted(current):
        match current[key]:
            case EdgeView() as edge:
                board.callees.setdefault(edge.window.callee, []).append(edge)
                board.callers.setdefault(edge.window.caller, []).append(edge)
            case Standing() as standing:
                board.services[standing.service] = standing
            case NodeView() as node:
                board.nodes[node.health.node] = node
            case LagView() as server:
                board.datasets.setdefault(server.lag.dataset, []).append(server)
            case Throttle() as throttle:
                board.throttles[throttle.callee] = throttle
            case Stance() | WriteThrottle() | Sight() as kept:
                _keep(board, kept)
            case Case() as case:
                board.cases[case.incident.kind, case.incident.subject] = case
            case Held() as held:
                board.held[held.key] = held
            case _:
                pass  # a season, a policy and orders are asked for where observations come in
    return board


def _keep(board: Board, kept: Stance | WriteThrottle | Sight) -> None:
    match kept:
        case Stance():
            board.stances[kept.dataset] = kept
        case WriteThrottle():
            board.writes[kept.dataset] = kept
        case Sight():
            board.sights[kept.callee] = kept
