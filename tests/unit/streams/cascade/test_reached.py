"""Windows without the calls that say nothing of the callee."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import pytest
from tests.unit.streams.cascade.domain_script import edges

from snowshed.streams.cascade.reached import reached, without
from snowshed.streams.cascade.rows import singly
from snowshed.streams.edges.window import EdgeWindow

_MADE = {"first": 80.0, "attempts": 100.0, "ok": 60.0, "timeout": 30.0, "error_local": 10.0}


def window(**counts: float) -> EdgeWindow:
    """The window of 80 requests in 100 attempts, of which 60 succeeded, 30 ran into their time-out and 10 failed."""
    [found], _ = singly(edges(0, _MADE | counts))
    return found


def test_so_many_attempts_fewer_have_failed() -> None:
    whole = window()
    left = without(whole, 20.0)
    assert (left.first, left.attempts, left.ok, left.timeout, left.error_local) == (64.0, 80.0, 60.0, 15.0, 5.0)
    assert left.amplification == whole.amplification
    assert left.completions == whole.completions or isnan(whole.completions)


def test_no_more_is_taken_than_failed() -> None:
    left = without(window(), 90.0)
    assert (left.attempts, left.ok_ratio, left.timeout, left.error_local) == (60.0, 1.0, 0.0, 0.0)
    whole = window(ok=100.0, timeout=0.0, error_local=0.0)
    assert without(whole, 5.0) is whole


@pytest.mark.parametrize(
    ("calls", "unknown"),
    [(1.0, set[str]()), (2.0, {"p99"}), (11.0, {"p90", "p99"}), (51.0, {"p90", "p99"})],
)
def test_quantiles_that_may_have_moved_are_unknown(calls: float, unknown: set[str]) -> None:
    left = without(window(), calls)
    assert {name for name in ("p50", "p90", "p99") if isnan(getattr(left, name))} == unknown


def test_columns_and_single_windows_say_the_same() -> None:
    record = replace(edges(0, _MADE, {"callee": "db"}), mute_edge=(0.0,), mute_calls=(20.0,))
    rows, windows, _ = reached(record)
    assert rows.window["attempts"].tolist() == [one.attempts for one in windows]
    assert windows[0].attempts == 80.0
    assert windows[1] == singly(record)[0][1]
