"""What `explain` and `watch` make of the state of the fleet."""

from __future__ import annotations

import io
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from rich.console import Console

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import (
    EdgeHealth,
    EdgeStatus,
    Incident,
    IncidentKind,
    IncidentStatus,
    Lag,
    LagStatus,
    Liveness,
    NodeHealth,
)
from snowshed.streams.cli.explain import chosen
from snowshed.streams.cli.tables import fleet
from snowshed.streams.web import View

NOW = 1_790_000_000.0
INCIDENT = Incident(
    incident_id="node-a",
    domain="default",
    kind=IncidentKind.NODE_FAILED,
    status=IncidentStatus.OPEN,
    subject="a",
    summary="Node a is dead.",
    opened_at=NOW - 30,
    updated_at=NOW - 30,
    confidence=0.9,
    detector_lag=0.0,
)
NODE = NodeHealth(
    domain="default",
    node="[red]a",
    service="orders",
    zone="",
    host="",
    status=Liveness.DEAD,
    since=NOW - 5,
    last_seen=NOW - 8,
    interval=0.5,
    phi=9.0,
    observed_at=NOW - 1,
    detector_lag=0.25,
)
EDGE = EdgeHealth(
    domain="default",
    caller="gateway",
    callee="orders",
    status=EdgeStatus.AMPLIFIED,
    since=NOW,
    observed_at=NOW,
    rate=120.0,
    error_ratio=0.25,
    rejected_ratio=0.0,
    amplification=1.9,
    p50=0.02,
    p90=0.05,
    p99=1.5,
)
LAG = Lag(
    domain="default",
    dataset="orders",
    replica="r1",
    system="postgresql",
    status=LagStatus.BEHIND,
    since=NOW,
    low=2.5,
    high=3.0,
    bytes_behind=0.0,
    poll_period=0.25,
    slo=2.0,
    observed_at=NOW,
    detector_lag=0.0,
    evidence_offset=0,
    evidence_partition=0,
)


def view(*facts: Any) -> View:
    return View(MappingProxyType({}), facts)


def shown(*facts: Any, connected: bool = True) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(fleet({**view(*facts).snapshot(NOW), "connected": connected}))
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


def closed(incident: Incident) -> Incident:
    return replace(incident, status=IncidentStatus.CLOSED, closed_at=NOW)


def test_the_newest_open_incident_is_explained_before_newer_closed_ones() -> None:
    older = replace(INCIDENT, incident_id="older", opened_at=NOW - 60)
    newest = closed(replace(INCIDENT, incident_id="newest", opened_at=NOW - 1))
    assert chosen(view(newest, INCIDENT, older), None) == INCIDENT
    assert chosen(view(newest, closed(older)), None) == newest
    assert chosen(view(), None) is None


def test_an_incident_is_found_by_its_id_and_a_wrong_id_lists_the_known_ones() -> None:
    assert chosen(view(INCIDENT), "node-a") == INCIDENT
    with pytest.raises(ConfigurationError, match=r"no incident 'node-b'; the newest are: node-a"):
        chosen(view(INCIDENT), "node-b")


def test_the_table_shows_every_kind_of_fact() -> None:
    text = shown(INCIDENT, NODE, EDGE, LAG)
    assert "open incidents: 1" in text
    for part in ("Node a is dead.", "30.0 s", "gateway > orders", "120.0", "25%", "1.9", "orders/r1", "2.5 s … 3.0 s"):
        assert part in text


def test_a_replicas_visibility_budget_and_state_are_shown() -> None:
    said = replace(LAG, pairs=600.0, censored_share=0.05, t50=0.04, t99=1.5, stale_share=0.002, burn=20.0)
    text = shown(replace(said, budget_left=0.4, alert="page", condition="stop"))
    for part in ("40 ms / 1.5 s / ?", "5.0%", "0.2%", "40% (page)", "stop"):
        assert part in text


def test_names_are_shown_as_they_are_and_never_read_as_markup() -> None:
    assert "[red]a" in shown(NODE)


def test_an_empty_fleet_says_what_to_type_next() -> None:
    assert "snowshed publish scenario retry-storm" in shown()


def test_a_lost_broker_is_said() -> None:
    assert "no broker answers" in shown(NODE, connected=False)
    assert "no broker answers" not in shown(NODE)
