"""The windowed minimum that measures a node's clock against the broker's."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.clocks import Clock, observe, offset
from snowshed.streams.policy import LagPolicy

POLICY = LagPolicy()


def samples(delays: list[float], *, shift: float = 0.0, start: float = 1000.0, step: float = 1.0) -> Clock:
    """A clock that is `shift` behind the broker's and sends once a `step` with the given delays."""
    clock: Clock | None = None
    for index, delay in enumerate(delays):
        sent = start + index * step
        clock = observe(
            clock,
            "n",
            sent_at=sent - shift,
            monotonic=sent - 900.0,
            round_trip=0.01,
            appended=sent + delay,
            policy=POLICY,
        )
    assert clock is not None
    return clock


@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=60), st.floats(-3.0, 3.0))
def test_the_offset_is_the_smallest_delay_seen(delays: list[float], shift: float) -> None:
    assert offset(samples(delays, shift=shift), POLICY).upper == pytest.approx(min(delays) + shift, abs=1e-6)


def test_delays_older_than_the_window_are_forgotten_and_the_memory_stays_constant() -> None:
    clock = samples([0.001] + [0.5] * 400)
    assert offset(clock, POLICY).upper == pytest.approx(0.5)
    assert len(clock.slots) == 10


def test_a_step_of_the_wall_clock_restarts_the_window() -> None:
    before = samples([0.001] * 20)
    stepped = observe(
        before, "n", sent_at=1020.0 + 7.0, monotonic=120.0, round_trip=0.01, appended=1020.2, policy=POLICY
    )
    assert offset(stepped, POLICY).upper == pytest.approx(-6.8)
    assert sum(slot.samples for slot in stepped.slots) == 1


@pytest.mark.parametrize(
    ("count", "round_trip", "error"),
    [(10, 0.01, 0.01), (9, 0.01, 0.25), (9, 0.7, 0.7), (10, nan, 0.25), (10, -1.0, 0.25), (10, inf, 0.25)],
)
def test_the_round_trip_bounds_the_error_once_the_window_has_settled(
    count: int, round_trip: float, error: float
) -> None:
    clock = samples([0.1] * (count - 1)) if count > 1 else None
    last = 1000.0 + count
    clock = observe(
        clock, "n", sent_at=last, monotonic=last - 900.0, round_trip=round_trip, appended=last + 0.1, policy=POLICY
    )
    assert offset(clock, POLICY).error == error
