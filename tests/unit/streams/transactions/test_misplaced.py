"""Where reading goes on when the wanted offset is not in the log."""

from __future__ import annotations

import pytest

from snowshed.streams.transactions.misplaced import InputReplaced, resume_at

PLACE = ("snowshed.heartbeats", 3)


def test_an_offset_that_is_in_the_log_stays() -> None:
    assert resume_at(PLACE, 50, 10, 100) == 50
    assert resume_at(PLACE, 100, 10, 100) == 100


def test_reading_goes_on_behind_records_that_retention_removed() -> None:
    assert resume_at(PLACE, 5, 10, 100) == 10


def test_a_log_that_ends_before_the_state_names_place_and_remedy() -> None:
    with pytest.raises(InputReplaced, match=r"snowshed.heartbeats\[3\] ends at 100.*up to 101.*snowshed reset"):
        resume_at(PLACE, 101, 0, 100)
