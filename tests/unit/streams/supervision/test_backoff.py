"""The pause before a worker's next life."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.supervision.backoff import Backoff


def pauses(lives: list[float]) -> list[float]:
    backoff, found = Backoff(), list[float]()
    for lived in lives:
        backoff = backoff.after(lived)
        found.append(backoff.seconds)
    return found


def test_the_pause_doubles_with_each_early_death_up_to_half_a_minute() -> None:
    assert pauses([0.5] * 8) == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_minute_of_life_forgets_the_deaths_before_it() -> None:
    assert pauses([1, 1, 1, 60, 1]) == [1, 2, 4, 1, 2]


def test_there_is_no_pause_before_the_first_death() -> None:
    assert Backoff().seconds == 0


@pytest.mark.parametrize("deaths", [1_024, 1_000_000])
def test_many_deaths_overflow_nothing(deaths: int) -> None:
    assert Backoff(deaths).seconds == 30


@given(st.lists(st.floats(0, 3_600), min_size=1))
def test_every_death_has_a_pause_between_one_second_and_thirty(lives: list[float]) -> None:
    assert all(1 <= pause <= 30 for pause in pauses(lives))
