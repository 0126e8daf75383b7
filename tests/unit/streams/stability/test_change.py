"""Change points, trends and robust baselines."""

from __future__ import annotations

from math import isnan, nan
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.policy import ChangePolicy
from snowshed.streams.stability.change import Cusum, summed, trend
from snowshed.streams.stability.robust import Robust, learned

POLICY = ChangePolicy()
numbers = st.floats(-1e6, 1e6)


def test_a_sum_alarms_after_the_excess_over_the_drift_reaches_the_threshold_and_knows_when_the_change_began() -> None:
    held = Cusum()
    for at in range(10):
        held = summed(held, 0.0, float(at), POLICY)
    assert held == Cusum()
    for at in range(10, 14):
        assert not held.alarms(POLICY)
        held = summed(held, 2.5, float(at), POLICY)
    assert held.alarms(POLICY)
    assert held.since == 10.0


def test_a_long_change_is_forgotten_as_fast_as_a_short_one_and_an_unknown_value_changes_nothing() -> None:
    held = Cusum()
    for at in range(1000):
        held = summed(held, 50.0, float(at), POLICY)
    assert held.total == 2.0 * POLICY.threshold
    assert summed(held, nan, 1000.0, POLICY) is held


@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=8), numbers)
def test_a_trend_is_a_slope_between_two_of_its_points_and_does_not_depend_on_their_level(
    points: list[tuple[float, float]], level: float
) -> None:
    times = [float(number) for number in range(len(points))]
    values = [value for _, value in points]
    slope = trend(times, values)
    assert min(values) - max(values) <= slope <= max(values) - min(values)
    assert trend(times, [value + level for value in values]) == pytest.approx(slope, abs=1e-6)


def test_a_trend_withstands_an_outlier_and_needs_two_different_times() -> None:
    assert trend([0, 1, 2, 3, 4, 5], [0, 2, 4, 900, 8, 10]) == pytest.approx(2.0)
    assert isnan(trend([1.0], [1.0]))
    assert isnan(trend([1.0, 1.0], [1.0, 2.0]))


def test_a_baseline_learns_median_and_deviation_and_outliers_hardly_move_it() -> None:
    draw = Random(3)
    held = Robust()
    for number in range(2000):
        held = learned(held, 1e6 if number % 10 == 9 else draw.gauss(100.0, 10.0), POLICY)
    assert held.location == pytest.approx(100.0, abs=4.0)
    assert held.scale(POLICY) == pytest.approx(10.0, rel=0.35)


def test_a_baseline_is_unknown_until_the_median_of_enough_values_is_taken() -> None:
    held = Robust()
    values = [5.0, 9.0, 1.0, 7.0, 3.0, 2.0, 8.0, 4.0, 6.0, nan, 100.0]
    for value in values[:-1]:
        held = learned(held, value, POLICY)
        assert not held.known
        assert isnan(held.z(5.0, POLICY))
    held = learned(held, values[-1], POLICY)
    assert held.location == median([value for value in values if not isnan(value)])
    assert held.first == ()
