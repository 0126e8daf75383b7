"""A small fleet in trouble, and a world that tests feed by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from math import nan
from threading import Lock
from typing import Any

from aiohttp import web

from snowshed.consumers import Delivery
from snowshed.schemas.records import (
    Consistency,
    ConsistencyMode,
    Decision,
    DecisionKind,
    EdgeHealth,
    EdgeStatus,
    Evidence,
    Incident,
    IncidentKind,
    IncidentStatus,
    Lag,
    LagStatus,
    Liveness,
    NodeHealth,
    Record,
    ScopeKind,
    ServiceHealth,
    ServiceStatus,
    StatementHealth,
)
from snowshed.streams.web import View, World

__all__ = [
    "FedWorld",
    "closed",
    "decision",
    "delivery",
    "edge",
    "fleet",
    "incident",
    "lag",
    "lifted",
    "node",
    "port_of",
    "service",
    "statements",
]


class FedWorld:
    """A `WorldSource` that is told what happens."""

    def __init__(self) -> None:
        self.connected = True
        self.caught_up = True
        self._world = World()
        self._lock = Lock()
        self._offsets = count()

    @property
    def revision(self) -> int:
        return self._world.revision

    def view(self) -> View:
        with self._lock:
            return self._world.view()

    def tell(self, *records: Record) -> None:
        with self._lock:
            for record in records:
                self._world.apply(delivery(record, next(self._offsets)))


def delivery(record: Record, offset: int = 0) -> Delivery:
    topic, key = _address(record)
    return Delivery(topic, 0, offset, nan, key, record)


_PLACES: dict[type[Record], tuple[str, Callable[[Any], str]]] = {
    NodeHealth: ("health", lambda record: record.node),
    EdgeHealth: ("health", lambda record: f"{record.caller}>{record.callee}"),
    ServiceHealth: ("health", lambda record: f"service/{record.service}"),
    StatementHealth: ("health", lambda record: f"statements/{record.callee}"),
    Lag: ("lag", lambda record: f"{record.dataset}/{record.replica}"),
    Incident: ("incidents", lambda record: record.incident_id),
    Decision: ("decisions", lambda record: f"{record.scope}|{record.kind.value}"),
}


def _address(record: Record) -> tuple[str, str]:
    topic, key = _PLACES[type(record)]
    return f"snowshed.{topic}", key(record)


def node(name: str, service: str, now: float, status: Liveness = Liveness.ALIVE, **changes: float) -> NodeHealth:
    values = {"since": now - 900, "last_seen": now - 0.3, "cpu": 0.31, "memory": 0.55, "pool": 0.2} | changes
    return NodeHealth(
        domain="shop",
        node=name,
        service=service,
        zone="a",
        host=f"{name}.example",
        status=status,
        interval=0.5,
        phi=0.4,
        observed_at=now,
        detector_lag=0.012,
        **values,
    )


def edge(caller: str, callee: str, now: float, status: EdgeStatus = EdgeStatus.OK, **changes: float) -> EdgeHealth:
    values = {"rate": 240.0, "error_ratio": 0.001, "rejected_ratio": 0.0, "amplification": 1.02} | changes
    return EdgeHealth(
        domain="shop",
        caller=caller,
        callee=callee,
        status=status,
        since=now - 600,
        observed_at=now,
        p50=0.004,
        p90=0.011,
        p99=0.032,
        **values,
    )


def service(name: str, now: float, status: ServiceStatus = ServiceStatus.STABLE, **changes: float) -> ServiceHealth:
    values = {"demand": 240.0, "vulnerability_low": 0.4, "vulnerability_high": 0.9} | changes
    return ServiceHealth(
        domain="shop",
        service=name,
        status=status,
        observed_at=now,
        detector_lag=0.01,
        inflow=250.0,
        throughput=239.0,
        vulnerability_method="capacity never reached: against the most completions so far, an upper bound",
        **values,
    )


def statements(
    callee: str, now: float, *, operation: tuple[str, ...], change: tuple[str, ...], onset: tuple[float, ...]
) -> StatementHealth:
    count = len(operation)
    return StatementHealth(
        domain="shop",
        callee=callee,
        observed_at=now,
        detector_lag=0.01,
        window=10.0,
        calls=1000.0,
        seconds=20.0,
        statement=tuple(f"{number:016x}" for number in range(count)),
        operation=operation,
        rate=(100.0,) * count,
        errors=(0.0,) * count,
        share=(0.3,) * count,
        usual_share=(0.1,) * count,
        mean=(0.02,) * count,
        p90=(0.03,) * count,
        p99=(0.05,) * count,
        change=change,
        onset=onset,
        before=(0.01,) * count,
        after=(0.04,) * count,
    )


def lag(replica: str, now: float, low: float, high: float, status: LagStatus = LagStatus.FRESH) -> Lag:
    return Lag(
        domain="shop",
        dataset="orders",
        replica=replica,
        system="postgresql",
        status=status,
        since=now - 60,
        low=low,
        high=high,
        bytes_behind=18_000.0,
        poll_period=0.25,
        slo=2.0,
        observed_at=now,
        detector_lag=0.02,
        evidence_offset=811,
        evidence_partition=3,
    )


def incident(now: float, incident_id: str = "retries-payments-6f3a91") -> Incident:
    measured = Evidence(
        series="attempts per first attempt, checkout>payments",
        value=2.74,
        threshold=1.5,
        unit="",
        at=now - 3,
        topic="snowshed.observations",
        partition=1,
        offset=40_211,
    )
    return Incident(
        incident_id=incident_id,
        domain="shop",
        kind=IncidentKind.RETRY_AMPLIFICATION,
        status=IncidentStatus.OPEN,
        subject="payments",
        summary="Callers of payments send 2.7 attempts for every first attempt while demand is unchanged.",
        opened_at=now - 42,
        updated_at=now - 1,
        members=("payments", "checkout", "cart"),
        evidence=(
            measured,
            replace(
                measured, series="success ratio of payments", value=0.41, threshold=0.7, unit="ratio", offset=40_212
            ),
        ),
        confidence=0.92,
        detector_lag=0.03,
    )


def closed(opened: Incident, at: float) -> Incident:
    return replace(opened, status=IncidentStatus.CLOSED, updated_at=at, closed_at=at)


def decision(now: float, *, seq: int = 1, epoch: int = 1, incident_id: str = "retries-payments-6f3a91") -> Decision:
    return Decision(
        decision_id=f"{epoch:016x}{seq:016x}",
        domain="shop",
        scope="payments",
        scope_kind=ScopeKind.SERVICE,
        kind=DecisionKind.RETRY,
        active=True,
        epoch=epoch,
        seq=seq,
        issued_at=now,
        ttl=10.0,
        retry_budget=0.05,
        attempt_cap=3,
        reason="Retries make up 63 % of the load on payments; first attempts alone would fit its capacity.",
        incident_id=incident_id,
        confidence=0.92,
    )


def lifted(taken: Decision, at: float) -> Decision:
    return replace(taken, active=False, seq=taken.seq + 1, issued_at=at)


def fleet(now: float) -> list[Record]:
    """Every record of a shop whose payments are overrun by retries and whose second replica lags."""
    services = {"gateway": 3, "catalog": 3, "cart": 2, "checkout": 3, "payments": 4, "search": 2, "ledger": 2}
    nodes = [node(f"{name}-{i}", name, now) for name, size in services.items() for i in range(1, size + 1)]
    nodes[-1] = node(
        "ledger-2", "ledger", now, Liveness.DEAD, since=now - 75, last_seen=now - 79, cpu=nan, memory=nan, pool=nan
    )
    nodes[12] = replace(nodes[12], cpu=0.97, pool=1.0)
    bad = EdgeStatus.AMPLIFIED
    edges = [
        edge("gateway", "catalog", now, rate=1800.0),
        edge("gateway", "cart", now, rate=420.0),
        edge("gateway", "search", now, rate=90.0),
        edge("cart", "checkout", now, rate=130.0),
        edge("gateway", "checkout", now, rate=12.0),
        edge("checkout", "payments", now, bad, rate=2300.0, error_ratio=0.59, amplification=2.74),
        edge("payments", "ledger", now, EdgeStatus.OVERLOADED, rate=880.0, error_ratio=0.3),
        edge("catalog", "catalog-db", now, rate=950.0),
        edge("checkout", "orders-db", now, rate=310.0),
        edge("search", "catalog-db", now, rate=80.0),
        edge("ledger", "orders-db", now, EdgeStatus.SILENT, rate=0.0),
    ]
    standings = [
        service("catalog", now),
        service("payments", now, ServiceStatus.TRIGGERED, vulnerability_low=1.9, vulnerability_high=1.9),
    ]
    steer = replace(
        decision(now - 4),
        decision_id="c" * 32,
        scope="orders",
        scope_kind=ScopeKind.DATASET,
        kind=DecisionKind.CONSISTENCY,
        retry_budget=None,
        attempt_cap=None,
        consistency=Consistency(mode=ConsistencyMode.PREFER, avoid=("r2",), prefer=("r1", "primary")),
        reason="Replica r2 is 6.1 to 6.6 s behind its source; the objective is 2 s.",
        incident_id="lag-orders-r2-0b77c2",
    )
    behind = replace(
        incident(now, "lag-orders-r2-0b77c2"),
        kind=IncidentKind.REPLICA_LAG,
        subject="orders/r2",
        summary="Replica r2 of orders is at least 6.1 s behind its source and keeps falling back.",
        members=("orders",),
        opened_at=now - 11,
        evidence=(),
    )
    past = closed(
        replace(
            incident(now - 900, "node-search-1-19ac02"),
            kind=IncidentKind.NODE_FAILED,
            subject="search-1",
            summary="Node search-1 fell silent and came back after 31 s.",
            evidence=(),
        ),
        now - 840,
    )
    lags = [
        lag("r1", now, 0.08, 0.41),
        lag("r2", now, 6.1, 6.6, LagStatus.BEHIND),
        lag("r3", now, 1.2, nan, LagStatus.UNKNOWN),
    ]
    return [*nodes, *edges, *standings, *lags, incident(now), behind, past, decision(now - 2), steer]


def port_of(runner: web.AppRunner) -> int:
    """The port that a started runner listens on."""
    port: int = runner.addresses[0][1]
    return port
