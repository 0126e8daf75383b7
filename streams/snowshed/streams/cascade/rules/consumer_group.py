"""A consumer group has stopped, stalled, gone back or falls behind for good; nobody but a person can mend that."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from snowshed.schemas.records import IncidentKind
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.views import LagView
from snowshed.streams.policy import Policy

__all__ = ["RULE", "ending", "judge"]

RULE = "consumer-group/1"

_SAID = MappingProxyType(
    {
        "stop": "has stopped: it commits nothing and records wait",
        "stall": "has stalled: a live member commits nothing new",
        "rewind": "went back: an offset that it commits decreased",
        "warn": "does not keep up: its lag grows",
    }
)
_CONFIDENCE = MappingProxyType({"stop": 0.95, "stall": 0.95, "rewind": 0.95, "warn": 0.8})


def judge(board: Board, policy: Policy, now: float) -> Iterator[Finding]:
    """Groups in trouble, as level 1 judged them."""
    del policy, now
    for servers in board.datasets.values():
        yield from (_finding(server) for server in servers if server.lag.condition in _SAID)


def ending(board: Board, case: Case) -> Ending:
    """Keeping up again, or forgotten."""
    dataset, _, group = case.incident.subject.rpartition("/")
    server = next((item for item in board.datasets.get(dataset, ()) if item.lag.replica == group), None)
    if server is None or server.lag.condition == "unknown":
        return Ending(f"Nothing is heard of group {group} of {dataset} any more.", quiet=True)
    return Ending(f"Group {group} of {dataset} keeps up again: {server.lag.note}.")


def _finding(server: LagView) -> Finding:
    lag = server.lag
    return Finding(
        kind=IncidentKind.CONSUMER_GROUP,
        subject=f"{lag.dataset}/{lag.replica}",
        domain=lag.domain,
        rule=RULE,
        severity="warning",
        summary=f"Consumer group {lag.replica} of {lag.dataset} {_SAID[lag.condition]}. {lag.note}.",
        members=(lag.replica,),
        evidence=(server.place.evidence(f"least lag of {lag.replica}", lag.low, lag.slo, "s", lag.observed_at),),
        confidence=_CONFIDENCE[lag.condition],
    )
