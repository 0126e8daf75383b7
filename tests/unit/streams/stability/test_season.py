"""The usual week: what a frozen median is moved by."""

from __future__ import annotations

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.stability.season import HOURS, Season, factor, hour_of, noted

MONDAY = 1_700_438_400.0
"""Monday, 20 November 2023, 00:00 UTC."""


def week(*hours: float) -> Season:
    return Season("api", (*hours, *(nan,) * (HOURS - len(hours))))


def test_hours_count_from_monday_in_utc() -> None:
    assert hour_of(MONDAY) == 0
    assert hour_of(MONDAY + 3 * 3600 + 59) == 3
    assert hour_of(MONDAY - 1) == HOURS - 1


def test_a_frozen_median_moves_with_the_day() -> None:
    season = week(100.0, 200.0, 400.0)
    assert factor(season, MONDAY + 1800, MONDAY + 2 * 3600 + 1800) == pytest.approx(4.0)
    assert factor(season, MONDAY + 1800, MONDAY + 3600 + 1800) == pytest.approx(2.0)


def test_between_the_middles_of_two_hours_the_level_is_between_theirs() -> None:
    season = week(100.0, 200.0, 400.0)
    assert factor(season, MONDAY + 1800, MONDAY + 7200 - 1) == pytest.approx(3.0, rel=0.01)


def test_an_hour_that_is_not_known_moves_nothing() -> None:
    assert factor(week(100.0), MONDAY + 1800, MONDAY + 5 * 3600) == 1.0
    assert factor(None, MONDAY, MONDAY + 5 * 3600) == 1.0


def test_weeks_are_averaged() -> None:
    season = noted(noted(week(), 7, 100.0), 7, 200.0)
    assert season.hours[7] == pytest.approx(130.0)


@given(st.lists(st.floats(0.0, 1e9), min_size=HOURS, max_size=HOURS), st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_factor_is_bounded_and_turns_round(hours: list[float], first: float, second: float) -> None:
    season = Season("api", tuple(hours))
    there = factor(season, MONDAY + first, MONDAY + second)
    assert 0.2 <= there <= 5.0
    assert factor(season, MONDAY + second, MONDAY + first) == pytest.approx(1 / there)
