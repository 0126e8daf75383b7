"""Scripted observations for a domain, and a recorder of all it says; what it reports of services is kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import TypeVar

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import (
    Decision,
    DecisionKind,
    EdgeObservations,
    Incident,
    Lag,
    LagStatus,
    Liveness,
    NodeHealth,
    Record,
    ServiceHealth,
)
from snowshed.streams.cascade import DomainFold, DomainState, Observation
from snowshed.streams.folding import Batch, Emission, Message
from snowshed.streams.governed import Governed
from snowshed.streams.policy import Policy
from snowshed.streams.policy.changes import AppliedPolicy

CODEC = Codec()
START = 1_700_000_000.0
R = TypeVar("R", bound=Record)


class Domain:
    """One partition of observations, its fold and all it has said."""

    def __init__(self, policy: Policy | None = None, *, round_trip: bool = False) -> None:
        self.fold: Governed[tuple[Observation, ...], DomainState] = Governed(DomainFold, policy or Policy())
        self.state: dict[str, DomainState | AppliedPolicy] = {}
        self.said: list[tuple[float, Emission]] = []
        self.reports: list[tuple[float, ServiceHealth]] = []
        self.offset = self.version = 0
        self.round_trip = round_trip

    def step(self, at: float, *records: Record, detector_lag: float = 0.0) -> tuple[Emission, ...]:
        messages = [
            Message(self.offset + index, START + at, b"default", CODEC.encode(record))
            for index, record in enumerate(records)
        ]
        decoded = self.fold.decode(messages)
        assert (decoded.rejects, decoded.taken) == ((), None)
        first, self.offset = self.offset, self.offset + len(messages)
        self.version += 1
        batch = Batch(1, first, self.offset, self.version, START + at, True, detector_lag, decoded.records)
        step = self.fold.step(self.state, batch)
        for key, value in step.changes.items():
            if value is None:
                del self.state[key]
            elif self.round_trip:
                raw = self.fold.dump(value)
                self.state[key] = self.fold.load(raw)
                assert self.fold.dump(self.state[key]) == raw
            else:
                self.state[key] = value
        self.reports += [(at, one.record) for one in step.emissions if isinstance(one.record, ServiceHealth)]
        told = tuple(emission for emission in step.emissions if not isinstance(emission.record, ServiceHealth))
        self.said += [(at, emission) for emission in told]
        return told

    def all(self, kind: type[R]) -> list[tuple[float, R]]:
        return [(at, emission.record) for at, emission in self.said if isinstance(emission.record, kind)]

    def decisions(self, kind: DecisionKind) -> list[tuple[float, Decision]]:
        return [(at, decision) for at, decision in self.all(Decision) if decision.kind is kind]


def node(
    at: float, status: Liveness, *, since: float | None = None, name: str = "n1", service: str = "api"
) -> NodeHealth:
    return NodeHealth(
        domain="default",
        node=name,
        service=service,
        zone="",
        host="h",
        status=status,
        since=START + (at if since is None else since),
        last_seen=START + at - 0.8,
        interval=0.5,
        phi=6.0,
        observed_at=START + at,
        detector_lag=0.0,
    )


def lag(at: float, replica: str, status: LagStatus, low: float = 0.0, high: float = 0.4) -> Lag:
    return Lag(
        domain="default",
        dataset="orders",
        replica=replica,
        system="postgresql",
        status=status,
        since=START + at,
        low=low,
        high=high,
        bytes_behind=nan,
        poll_period=0.25,
        slo=2.0,
        observed_at=START + at,
        detector_lag=0.0,
        evidence_offset=1,
        evidence_partition=0,
    )


def edges(at: float, *rows: Mapping[str, object], detector_lag: float = 0.0) -> EdgeObservations:
    """Edges web>api by default with 100 sound requests in one second, changed row by row."""
    usual: dict[str, object] = {
        "caller": "web",
        "callee": "api",
        "span": 1.0,
        "reporters": 2.0,
        "first": 100.0,
        "attempts": 100.0,
        "ok": 100.0,
        "error_local": 0.0,
        "error_downstream": 0.0,
        "rejected": 0.0,
        "timeout": 0.0,
        "in_flight_max": 4.0,
        "queue_delay_mean": 0.001,
        "queue_delay_max": 0.002,
        "p50": 0.01,
        "p90": 0.02,
        "p99": 0.03,
        "base_first_rate": 100.0,
        "base_ok_ratio": 1.0,
        "base_p90": 0.02,
        "completions": nan,
    }
    full = [{**usual, **row} for row in rows or ({},)]
    strings = tuple(dict.fromkeys(str(row[end]) for row in full for end in ("caller", "callee")))
    columns = {name: tuple(row[name] for row in full) for name in usual}
    for end in ("caller", "callee"):
        columns[end] = tuple(float(strings.index(str(row[end]))) for row in full)
    return EdgeObservations(
        domain="default",
        partition=0,
        observed_at=START + at,
        detector_lag=detector_lag,
        strings=strings,
        **columns,  # type: ignore[arg-type]
    )


def summary(said: list[tuple[float, Incident]]) -> list[tuple[float, str, str]]:
    return [(at, incident.subject, incident.status.value) for at, incident in said]


RETRYING: Mapping[str, object] = {"attempts": 300.0, "ok": 20.0, "timeout": 280.0}
LATE: Mapping[str, object] = {"ok": 95.0, "timeout": 5.0}
"""Few enough time-outs to pass for nothing else, and enough to harm."""
QUEUEING: Mapping[str, object] = {"queue_delay_mean": 0.08, "p90": 0.1, **LATE}
