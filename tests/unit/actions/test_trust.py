"""When an executor believes that it still acts."""

from __future__ import annotations

from snowshed.consumers.actions.trust import Trust


def test_an_executor_that_looks_often_relies_on_what_it_heard() -> None:
    trust = Trust()
    for tick in range(100):
        trust.look(tick * 0.1)
        assert trust.holds(tick * 0.1)


def test_one_that_was_frozen_first_lets_the_group_speak() -> None:
    trust = Trust()
    trust.look(0.0)
    trust.look(10.0)
    assert not trust.holds(10.9)
    trust.look(10.9)
    assert trust.holds(11.0)


def test_one_that_was_shut_out_waits_longer_than_a_heartbeat_takes() -> None:
    trust = Trust()
    trust.look(0.0)
    trust.shake(0.0)
    assert not trust.holds(3.0)
    assert trust.holds(5.0)
