from __future__ import annotations

from snowshed.producers.collectors.base import CallTiming
from snowshed.producers.collectors.statements.deltas import Counters, Ranking, StatementKey
from snowshed.producers.collectors.statements.report import (
    OTHER,
    Statement,
    call_timings,
    describe,
)
from snowshed.producers.instrument.fingerprint import fingerprint

_READ, _WRITE = Statement("SELECT", "ab12"), Statement("UPDATE", "cd34")


def test_the_server_and_its_callers_find_the_same_fingerprint() -> None:
    counted = describe("UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2")
    assert counted == Statement(
        "UPDATE", fingerprint("UPDATE pgbench_accounts SET abalance = abalance + 17 WHERE aid = 4711")
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
