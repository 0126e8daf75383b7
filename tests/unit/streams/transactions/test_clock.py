"""The broker's clock, estimated without trust in the worker's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.transactions.clock import BrokerClock

delays = st.lists(st.floats(0, 5), min_size=1, max_size=50)


@given(st.floats(-1e6, 1e6), delays)
def test_the_estimate_trails_the_broker_by_the_shortest_delay(offset: float, waits: list[float]) -> None:
    clock = BrokerClock(stand_in=0.0)
    for number, wait in enumerate(waits):
        appended = 1e6 + number
        clock = clock.observe(appended - offset + wait, appended)
    monotonic = 1e6 + len(waits) - offset
    assert abs((monotonic + offset) - clock.now(monotonic) - min(waits)) < 1e-6


def test_the_wall_clock_stands_in_only_until_a_record_was_seen() -> None:
    clock = BrokerClock(stand_in=-1000.0)
    assert clock.now(5.0) == 1005.0
    assert clock.observe(5.0, 2000.0).now(6.0) == 2001.0


def test_an_old_minimum_is_forgotten_after_two_windows() -> None:
    clock = BrokerClock(stand_in=0.0).observe(0.0, 100.0)
    clock = clock.observe(BrokerClock.WINDOW, BrokerClock.WINDOW + 99.0)
    assert clock.now(0.0) == 100.0
    clock = clock.observe(2 * BrokerClock.WINDOW, 2 * BrokerClock.WINDOW + 99.0)
    assert clock.now(0.0) == 99.0
