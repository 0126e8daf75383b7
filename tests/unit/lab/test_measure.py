from __future__ import annotations

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.lab.measure import Ended, Outcome, bins, quantile, verdict

LENGTH = 40
TROUBLE = (10.0, 15.0)


def run_of(rate: int, bad: range, *, criticality: int = 1) -> list[Ended]:
    """So many requests a second, answered after 0.1 s, but for the seconds in which none is."""
    return [
        Ended(criticality, at, at + 0.1, Outcome.TIMEOUT if second in bad else Outcome.OK)
        for second in range(LENGTH)
        for at in (second + number / rate * 0.8 for number in range(rate))
    ]


def test_a_run_without_trouble_loses_nothing_and_is_back_at_once() -> None:
    found = verdict(run_of(20, range(0)), LENGTH, TROUBLE, warm_up=2.0)
    assert (found.usual, found.lost, found.success, found.recovered_after) == (20.0, 0.0, 1.0, 0.0)


def test_seconds_in_which_nothing_is_answered_are_lost_whole() -> None:
    found = verdict(run_of(20, range(10, 18)), LENGTH, TROUBLE, warm_up=2.0)
    assert found.lost == pytest.approx(8.0)
    assert found.recovered_after == 3.0
    assert found.worst == 0.0


def test_four_good_seconds_are_no_recovery() -> None:
    ended = [one for one in run_of(20, range(10, 20)) if one.intended < 24]
    ended += [Ended(1, 24 + n / 20, 26 + n / 20, Outcome.TIMEOUT) for n in range(320)]
    assert verdict(ended, LENGTH, TROUBLE, warm_up=2.0).recovered_after is None


def test_a_second_with_little_demand_is_good_when_what_was_due_is_answered() -> None:
    ended = [one for one in run_of(20, range(10, 15)) if one.intended < 15 or int(one.intended * 10) % 2]
    assert verdict(ended, LENGTH, TROUBLE, warm_up=2.0).recovered_after == 0.0


def test_a_class_is_judged_by_itself() -> None:
    ended = [*run_of(20, range(0), criticality=1), *run_of(20, range(10, 40), criticality=3)]
    assert verdict(ended, LENGTH, TROUBLE, warm_up=2.0, criticality=1).success == 1.0
    assert verdict(ended, LENGTH, TROUBLE, warm_up=2.0, criticality=3).success == 0.0


def test_without_requests_nothing_is_known() -> None:
    found = verdict([], LENGTH, TROUBLE, warm_up=2.0)
    assert isnan(found.success)
    assert isnan(found.p99)
    assert isnan(found.lost)


def test_a_request_counts_in_the_second_in_which_it_was_due_and_in_which_it_ended() -> None:
    early, late = bins([Ended(1, 0.5, 1.5, Outcome.OK), Ended(1, 0.6, 7.0, Outcome.OK)], 2)
    assert (early.offered, early.good) == (2, 0)
    assert (late.offered, late.good) == (0, 1)


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_a_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    found = quantile(sorted(values), share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
