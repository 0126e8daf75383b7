"""How far a reader knows itself to be."""

from __future__ import annotations

from math import inf

from snowshed.consumers.progress import Progress

_A, _B = ("t", 0), ("t", 1)


def test_nothing_is_current_before_every_end_was_reached() -> None:
    progress = Progress()
    assert progress.current_at() == -inf
    progress.expect({_A, _B}, 1.0)
    progress.reached_end(_A, 0, 2.0)
    assert not progress.caught_up
    progress.read(_B, 41, 3.0)
    progress.reached_end(_B, 42, 4.0)
    assert progress.caught_up
    assert progress.current_at() == 4.0
    assert progress.positions == {_A: 0, _B: 42}


def test_topics_that_do_not_exist_have_nothing_to_catch_up_with() -> None:
    progress = Progress()
    assert not progress.caught_up
    progress.expect(set(), 1.0)
    assert progress.caught_up


def test_a_reader_is_current_until_the_first_record_it_has_not_followed_to_the_end() -> None:
    progress = Progress()
    progress.expect({_A}, 1.0)
    progress.reached_end(_A, 0, 1.0)
    progress.read(_A, 0, 5.0)
    progress.read(_A, 1, 9.0)
    assert progress.current_at() == 5.0
    progress.reached_end(_A, 2, 10.0)
    assert progress.current_at() == 10.0


def test_regained_contact_proves_nothing_until_the_end_is_reached_again() -> None:
    progress = Progress()
    progress.expect({_A}, 1.0)
    progress.reached_end(_A, 3, 2.0)
    progress.suspect()
    assert not progress.expect({_A}, 60.0)
    assert progress.current_at() == 2.0
    progress.reached_end(_A, 3, 61.0)
    assert progress.current_at() == 61.0


def test_new_and_vanished_partitions_change_what_is_followed() -> None:
    progress = Progress()
    assert progress.expect({_A}, 1.0)
    progress.reached_end(_A, 7, 1.0)
    assert progress.expect({_A, _B}, 2.0)
    assert progress.positions == {_A: 7, _B: None}
    assert progress.current_at() == 2.0
    assert progress.expect({_A}, 3.0)
    assert progress.current_at() == 3.0
