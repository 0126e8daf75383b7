"""From when on a worker may say that it takes part in its group's work."""

from __future__ import annotations

from snowshed.streams.transactions.enrolment import Enrolment

MEMBER = Enrolment().named("w1", now=100.0)


def test_who_is_not_in_the_group_never_takes_part() -> None:
    assert not Enrolment().settled(1e9)
    assert not MEMBER.assigned().named("", now=200.0).settled(1e9)


def test_a_member_waits_for_what_it_is_assigned() -> None:
    assert not MEMBER.settled(100.5)
    assert MEMBER.assigned().settled(100.5)


def test_a_member_that_is_told_nothing_has_nothing_to_do() -> None:
    assert not MEMBER.settled(109.9)
    assert MEMBER.settled(110.0)


def test_to_hear_ones_name_again_changes_nothing() -> None:
    assert MEMBER.assigned().named("w1", now=105.0).settled(105.0)
    assert MEMBER.named("w1", now=105.0).settled(110.0)


def test_a_new_name_or_a_loss_makes_it_wait_again() -> None:
    assert not MEMBER.assigned().named("w2", now=200.0).settled(209.9)
    lost = MEMBER.assigned().lost(now=200.0)
    assert (lost.settled(209.9), lost.settled(210.0), lost.assigned().settled(200.0)) == (False, True, True)
