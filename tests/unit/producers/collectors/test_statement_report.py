from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers.collectors.base import CallTiming
from snowshed.producers.collectors.postgres.deltas import Counters, Ranking, StatementKey
from snowshed.producers.collectors.postgres.statement_report import (
    OTHER,
    Statement,
    call_timings,
    describe,
    statement_kind,
)
from snowshed.producers.instrument.fingerprint import fingerprint

_READ, _WRITE = Statement("SELECT", "ab12"), Statement("UPDATE", "cd34")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT $1", "SELECT"),
        ("  select * from t", "SELECT"),
        ("(SELECT $1) UNION (SELECT $2)", "SELECT"),
        ("-- the orders\n/* of\n today */ UPDATE orders SET paid = $1", "UPDATE"),
        ("WITH new AS (INSERT INTO t VALUES ($1)) SELECT $2", "WITH"),
        ("CREATE TABLE t (i int)", "OTHER"),
        ("", "OTHER"),
        ("$1", "OTHER"),
        ("/* unfinished", "OTHER"),
    ],
)
def test_a_statement_is_of_the_kind_its_first_word_says(text: str, kind: str) -> None:
    assert statement_kind(text) == kind


@given(st.text("(/*- ;\n", max_size=30_000))
def test_the_kind_of_a_hostile_text_is_found_in_linear_time(text: str) -> None:
    assert statement_kind(text * 10) == "OTHER"


def test_the_server_and_its_callers_find_the_same_fingerprint() -> None:
    counted = describe("UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2")
    assert counted == Statement(
        "UPDATE", fingerprint("UPDATE pgbench_accounts SET abalance = abalance + -17 WHERE aid = 4711")
    )


def test_statements_are_reported_by_caller_with_their_mean() -> None:
    ranking = Ranking(
        top=((StatementKey("shop", 1), Counters(4, 2.0)), (StatementKey("billing", 1), Counters(1, 0.25))), rest=()
    )
    assert call_timings(ranking, {1: _READ}, without=()) == (
        CallTiming(caller="shop", operation="SELECT", statement="ab12", latencies=((0.5, 4),)),
        CallTiming(caller="billing", operation="SELECT", statement="ab12", latencies=((0.25, 1),)),
    )


def test_what_has_one_fingerprint_is_one_statement() -> None:
    ranking = Ranking(
        top=((StatementKey("shop", 1), Counters(4, 2.0)), (StatementKey("shop", 2), Counters(1, 1.0))), rest=()
    )
    [timing] = call_timings(ranking, {1: _READ, 2: _READ}, without=())
    assert timing.latencies == ((0.5, 4), (1.0, 1))


def test_the_rest_and_the_unknown_are_summed_by_caller() -> None:
    ranking = Ranking(
        top=((StatementKey("shop", 1), Counters(4, 2.0)), (StatementKey("shop", 9), Counters(1, 1.0))),
        rest=((StatementKey("shop", 2), Counters(2, 0.5)),),
    )
    timings = call_timings(ranking, {1: _READ, 2: _WRITE}, without=())
    assert timings[1] == CallTiming(
        caller="shop", operation=OTHER.operation, statement="", latencies=((1.0, 1), (0.25, 2))
    )


def test_the_agents_own_statements_are_nowhere() -> None:
    ranking = Ranking(
        top=((StatementKey("agent", 1), Counters(4, 2.0)),), rest=((StatementKey("agent", 2), Counters(4, 2.0)),)
    )
    assert call_timings(ranking, {1: _READ}, without={1, 2}) == ()
