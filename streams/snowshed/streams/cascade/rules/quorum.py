"""A consensus group cannot commit, or cannot lose another member."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from snowshed.schemas.records import IncidentKind
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.views import LagView
from snowshed.streams.policy import Policy
from snowshed.streams.quorum import QuorumStatus

__all__ = ["RULE", "ending", "judge"]

RULE = "quorum/1"

_SAID = MappingProxyType(
    {
        QuorumStatus.CRITICAL.value: "bears no further failure",
        QuorumStatus.LOST.value: "has lost its quorum",
        QuorumStatus.SPLIT.value: "has two leaders in one term",
        QuorumStatus.UNKNOWN.value: "may have lost its quorum: too few members answer to tell",
    }
)
_CONFIDENCE = MappingProxyType({QuorumStatus.UNKNOWN.value: 0.6})
_CERTAIN = 0.95


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Consensus groups in trouble, as level 1 judged them."""
    del policy, now
    for servers in board.datasets.values():
        yield from (_finding(server) for server in servers if server.is_quorum and server.lag.condition in _SAID)


def ending(board: Board, case: Case) -> Ending:
    """Able to lose a member again, or forgotten."""
    group = case.incident.subject
    server = next((item for item in board.datasets.get(group, ()) if item.is_quorum), None)
    if server is None:
        return Ending(f"Nothing was heard of {group} for so long that it is forgotten.", quiet=True)
    return Ending(f"{group} can lose a member again: {server.lag.note}.")


def _finding(server: LagView) -> Finding:
    lag = server.lag
    return Finding(
        kind=IncidentKind.QUORUM,
        subject=lag.dataset,
        domain=lag.domain,
        rule=RULE,
        severity="critical" if lag.condition == QuorumStatus.LOST.value else "warning",
        summary=f"{lag.dataset} {_SAID[lag.condition]}: {lag.note}.",
        members=(lag.dataset,),
        evidence=(
            server.place.evidence(
                f"failures {lag.dataset} is known to bear", lag.tolerates or 0.0, 1.0, "failures", lag.observed_at
            ),
        ),
        confidence=_CONFIDENCE.get(lag.condition, _CERTAIN),
    )
