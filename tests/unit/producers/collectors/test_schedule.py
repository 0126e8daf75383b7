from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers.collectors.schedule import Availability, next_due, retry_pause
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable

_TICKS = st.integers(0, 10_000)


@given(_TICKS, st.integers(1, 100), _TICKS)
def test_the_next_poll_is_the_first_point_of_the_grid_after_now(due: int, period: int, late: int) -> None:
    now = due + late
    following = next_due(due, period, now)
    assert now < following <= now + period
    assert (following - due) % period == 0


def test_a_poll_that_ran_early_keeps_the_grid() -> None:
    assert next_due(10.0, 0.5, 9.75) == 10.5


@given(st.integers(1, 10_000), st.floats(0.01, 60))
def test_a_lost_server_is_asked_again_ever_later_but_never_later_than_five_seconds_or_a_period(
    failures: int, period: float
) -> None:
    error = ServerUnavailable("away")
    pause = retry_pause(error, failures, period)
    assert period <= pause <= max(period, 5.0)
    assert retry_pause(error, failures + 1, period) >= pause


def test_what_a_person_has_to_change_is_not_asked_for_every_second() -> None:
    assert retry_pause(ConfigurationError("no table"), 1, 0.5) == 30.0


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        (Availability(), Availability(), False),
        (Availability(), Availability("ServerUnavailable", 1.0, 1), True),
        (Availability("ServerUnavailable", 1.0, 1), Availability("ServerUnavailable", 1.0, 2), False),
        (Availability("ServerUnavailable", 1.0, 1), Availability("ConfigurationError", 1.0, 2), True),
        (Availability("ServerUnavailable", 1.0, 7), Availability(), True),
    ],
)
def test_only_a_change_of_state_is_news(before: Availability, after: Availability, *, news: bool) -> None:
    assert before.changed_to(after) is news


def test_an_outage_dates_from_its_first_failure() -> None:
    first = Availability().failed(ServerUnavailable("away"), 10.0)
    second = first.failed(ConfigurationError("no table"), 12.0)
    assert second == Availability("ConfigurationError", 10.0, 2)
