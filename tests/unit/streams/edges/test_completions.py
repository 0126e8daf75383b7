"""Completions: what the callee finished, whether or not its caller still waited."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

from tests.unit.streams.cascade.domain_script import edges

from snowshed.schemas.records import Vantage
from snowshed.streams.cascade.rows import singly
from snowshed.streams.edges.groups import regrouped
from snowshed.streams.edges.tally import Tally
from snowshed.streams.edges.windows import closed

_CALLER = Tally("web", Vantage.CALLER, (9.0, 12.0, 2.0, 0.0, 0.0, 0.0, 10.0, 0.0), (5.0, 0.0), 1.0, ("w",), (), ())
_CALLEE = Tally("web", Vantage.CALLEE, (9.0, 12.0, 20.0, 0.0, 0.0, 0.0, 0.0, 6.0), (5.0, 1.0), 4.0, ("a", "b"), (), ())


def test_a_window_has_the_callers_successes_and_the_callees_completions_over_the_same_span() -> None:
    found = closed(regrouped([("api", _CALLEE), ("api", _CALLER)])).values
    assert (found["ok"].tolist(), found["span"].tolist(), found["completions"].tolist()) == ([2.0], [1.0], [10.0])


def test_completions_are_unknown_where_only_callers_report_and_in_records_without_the_column() -> None:
    assert isnan(closed(regrouped([("api", _CALLER)])).values["completions"][0])
    (window,), _ = singly(replace(edges(0), completions=()))
    assert isnan(window.completions)


def test_an_end_that_saw_no_calls_gives_way_to_the_one_that_did() -> None:
    idle = replace(_CALLER, sums=(0.0,) * 8)
    found = closed(regrouped([("api", _CALLEE), ("api", idle)])).values
    assert (found["attempts"].tolist(), found["ok"].tolist()) == ([12.0], [20.0])
    assert closed(regrouped([("api", _CALLEE), ("api", _CALLER)])).values["ok"].tolist() == [2.0]
