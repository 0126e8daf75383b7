"""What `snowshed statements` and `snowshed explain` show of statements."""

from __future__ import annotations

import io
from dataclasses import replace
from math import nan
from types import MappingProxyType

import pytest
from rich.console import Console

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Incident, IncidentKind, IncidentStatus, StatementHealth
from snowshed.streams.cli.explain import changed_statements
from snowshed.streams.cli.statements import chosen, shown
from snowshed.streams.web import View

NOW = 1_790_000_000.0
RECORD = StatementHealth(
    domain="default",
    callee="orders-db",
    observed_at=NOW,
    detector_lag=0.0,
    window=10.0,
    calls=400.0,
    seconds=8.0,
    statement=("aa", "[b]", "cc"),
    operation=("SELECT", "UPDATE", "INSERT"),
    rate=(20.0, 10.0, 0.0),
    errors=(0.25, 0.0, nan),
    share=(0.75, 0.25, 0.0),
    usual_share=(0.5, 0.5, nan),
    mean=(0.04, 1.5, nan),
    p90=(0.05, 1.6, nan),
    p99=(0.06, 1.7, nan),
    change=("latency", "", "new"),
    onset=(NOW - 40.0, nan, NOW - 60.0),
    before=(0.004, nan, nan),
    after=(0.04, nan, 0.2),
)
INCIDENT = Incident(
    incident_id="overload-orders-db",
    domain="default",
    kind=IncidentKind.OVERLOAD,
    status=IncidentStatus.OPEN,
    subject="orders-db",
    summary="orders-db is overloaded.",
    opened_at=NOW - 20,
    updated_at=NOW,
    confidence=0.9,
    detector_lag=0.0,
)


def printed(*records: StatementHealth, top: int = 10) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(shown(records, top))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_database_is_a_table_with_its_changes_in_words() -> None:
    text = printed(RECORD)
    assert "orders-db: 400 calls in 10 s" in text
    assert "[b]" in text
    assert "75.0%" in text
    assert "1.50 s" in text
    assert "SELECT aa takes 40 ms instead of 4 ms, 75% of the time" in text
    assert "INSERT cc was never seen before" in text


def test_a_statement_that_changed_is_shown_wherever_it_stands() -> None:
    text = printed(RECORD, top=1)
    assert "[b]" not in text
    assert "cc" in text


def test_without_statements_the_way_to_get_some_is_told() -> None:
    assert "howto-statements" in printed()


def test_a_database_is_chosen_by_name_and_an_unknown_one_is_an_error() -> None:
    other = replace(RECORD, callee="a-db")
    assert chosen([RECORD, other], None) == [other, RECORD]
    assert chosen([RECORD, other], "orders-db") == [RECORD]
    with pytest.raises(ConfigurationError, match="a-db, orders-db"):
        chosen([RECORD, other], "nobody")


def test_an_incident_of_a_database_names_the_statements_that_changed_about_then() -> None:
    view = View(MappingProxyType({}), (RECORD, INCIDENT, replace(RECORD, callee="other-db")))
    first, second = changed_statements(view, INCIDENT)
    assert first.startswith("INSERT cc")
    assert second.startswith("SELECT aa")
    assert changed_statements(view, replace(INCIDENT, subject="api")) == []
    assert changed_statements(view, replace(INCIDENT, opened_at=NOW - 1000, closed_at=NOW - 900)) == []
