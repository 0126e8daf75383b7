"""How far a reader knows itself to be."""

from __future__ import annotations

from math import inf

from snowshed.consumers.following.progress import Progress

_A, _B = ("t", 0), ("t", 1)


def _following(*partitions: tuple[str, int], asked_at: float = 1.0) -> Progress:
    progress = Progress()
    assert progress.expect(set(partitions), asked_at)
    return progress


def _current(asked_at: float, *, end: int) -> Progress:
    """One partition that has been read to its end."""
    progress = _following(_A)
    progress.reached_end(_A, end)
    progress.ended_at(_A, end, asked_at)
    return progress


def test_nothing_is_current_before_every_partition_has_met_its_first_goal() -> None:
    progress = Progress()
    assert progress.current_at() == -inf
    progress.expect({_A, _B}, 1.0)
    progress.ended_at(_A, 0, 2.0)
    progress.ended_at(_B, 42, 2.0)
    assert not progress.caught_up
    progress.read(_B, 40)
    assert not progress.caught_up
    progress.read(_B, 41)
    assert progress.caught_up
    assert progress.current_at() == 2.0
    assert progress.positions == {_A: None, _B: 42}


def test_topics_that_do_not_exist_have_nothing_to_catch_up_with() -> None:
    progress = Progress()
    assert not progress.caught_up
    progress.expect(set(), 1.0)
    assert progress.caught_up
    assert progress.current_at() == 1.0


def test_a_met_goal_proves_the_time_it_was_set_and_not_the_time_it_was_met() -> None:
    progress = _current(1.0, end=10)
    progress.ended_at(_A, 15, 5.0)
    progress.read(_A, 13)
    assert progress.current_at() == 1.0
    progress.read(_A, 14)
    assert progress.current_at() == 5.0


def test_a_record_beyond_a_marker_meets_the_goal_that_no_record_can_hit() -> None:
    """The last offset before the end is a transaction's marker; the next record is two further."""
    progress = _current(1.0, end=10)
    progress.ended_at(_A, 12, 5.0)
    progress.read(_A, 10)
    assert progress.current_at() == 1.0
    progress.read(_A, 12)
    assert progress.current_at() == 5.0


def test_the_end_of_a_partition_at_rest_meets_its_goal_although_a_marker_is_last() -> None:
    progress = _current(1.0, end=10)
    progress.ended_at(_A, 12, 5.0)
    progress.read(_A, 10)
    progress.reached_end(_A, 12)
    assert progress.current_at() == 5.0
    progress.ended_at(_A, 12, 6.0)
    assert progress.current_at() == 6.0


def test_an_end_that_was_reached_before_the_goal_does_not_meet_it() -> None:
    progress = _current(1.0, end=10)
    progress.ended_at(_A, 12, 5.0)
    progress.reached_end(_A, 11)
    assert progress.current_at() == 1.0


def test_a_goal_does_not_recede_before_a_reader_that_is_behind() -> None:
    progress = _current(1.0, end=10)
    progress.ended_at(_A, 20, 5.0)
    progress.ended_at(_A, 30, 6.0)
    progress.read(_A, 19)
    assert progress.current_at() == 5.0
    progress.read(_A, 29)
    assert progress.current_at() == 5.0, "the end at 6.0 was never a goal"
    progress.ended_at(_A, 40, 7.0)
    progress.read(_A, 39)
    assert progress.current_at() == 7.0


def test_a_partition_without_answers_ages_however_much_is_read() -> None:
    progress = _following(_A, _B)
    progress.ended_at(_A, 0, 2.0)
    progress.ended_at(_B, 0, 2.0)
    progress.read(_B, 0)
    progress.ended_at(_B, 1, 60.0)
    assert progress.current_at() == 2.0


def test_a_log_made_anew_proves_nothing_until_the_reader_has_started_over() -> None:
    progress = _current(1.0, end=100)
    progress.ended_at(_A, 2, 5.0)
    assert progress.current_at() == 1.0
    progress.read(_A, 0)
    progress.ended_at(_A, 2, 6.0)
    assert progress.current_at() == 1.0
    progress.read(_A, 1)
    assert progress.current_at() == 6.0


def test_a_found_partition_is_as_current_as_the_listing_without_it() -> None:
    progress = _following(_A, asked_at=1.0)
    progress.reached_end(_A, 7)
    assert not progress.expect({_A}, 3.0)
    progress.ended_at(_A, 7, 4.0)
    assert progress.expect({_A, _B}, 5.0)
    assert progress.positions == {_A: 7, _B: None}
    assert progress.current_at() == 3.0
    progress.ended_at(_B, 0, 6.0)
    assert progress.current_at() == 4.0


def test_a_vanished_partition_holds_nobody_up_and_its_late_news_is_passed_over() -> None:
    progress = _following(_A, _B)
    progress.ended_at(_A, 0, 2.0)
    assert not progress.caught_up
    assert progress.expect({_A}, 3.0)
    progress.read(_B, 5)
    progress.ended_at(_B, 9, 4.0)
    assert progress.current_at() == 2.0
    assert progress.positions == {_A: None}
