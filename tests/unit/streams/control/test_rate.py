"""The law of the admitted rate."""

from __future__ import annotations

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.control.rate import cut, draining, lowered, lowest, passing, raised
from snowshed.streams.policy import ControlPolicy, OverloadPolicy

POLICY, CONTROL = OverloadPolicy(), ControlPolicy()


@pytest.mark.parametrize(("excess", "step"), [(1.0, 1.0), (2.25, 1 / 1.5), (4.0, 0.5), (100.0, 0.5)])
def test_the_rate_falls_with_the_root_of_the_excess_and_never_below_half(excess: float, step: float) -> None:
    assert lowered(excess, POLICY) == pytest.approx(step)


@pytest.mark.parametrize(
    ("held", "knee", "step"),
    [(0.25, 1.0, 1.25), (0.8, 1.0, 1.125), (0.99, 1.0, 1.01), (1.0, 1.0, 1.01), (0.9, 0.6, 1.1667), (0.5, 0.0, 1.25)],
    ids=["far below", "nearer", "beside it", "at it", "beyond", "no rate has shown a queue"],
)
def test_the_rate_rises_by_its_distance_from_the_last_one_that_showed_a_queue(
    held: float, knee: float, step: float
) -> None:
    assert raised(held, knee, POLICY) == pytest.approx(step, abs=1e-4)


def test_a_cut_begins_at_the_usual_rate_at_most() -> None:
    assert cut(1.15, 0.5, 0.05, 1.25) == 0.5
    assert cut(1.15, 0.5, 2.0, 1.25) == 1.0


def test_the_rate_is_not_cut_below_half_of_what_the_callee_does_even_now() -> None:
    floor = lowest(60.0, 100.0, 0.1, POLICY, CONTROL)
    assert floor == 0.3
    assert cut(0.4, 0.5, floor, 1.25) == 0.3
    assert cut(0.2, 0.5, floor, 1.25) == 0.25
    assert cut(0.28, 0.5, floor, 1.25) == 0.3
    assert lowest(nan, 100.0, 0.1, POLICY, CONTROL) == POLICY.minimum_multiplier


def test_behind_a_cold_cache_more_than_the_usual_is_let_through() -> None:
    assert cut(1.0, 0.5, 3.2, 1.25, cold=True) == 3.2
    assert cut(1.0, 0.5, 3.2, 1.25) == 1.0


def test_a_breaker_refuses_nothing_of_what_the_callee_does_even_now() -> None:
    held = 1.0
    for _ in range(20):
        held = passing(held, 0.0, 0.16, overloaded=True, policy=POLICY, control=CONTROL)
    assert held == 0.16
    opened = passing(0.1, 0.0, 0.16, overloaded=True, policy=POLICY, control=CONTROL)
    assert opened == pytest.approx(0.125), "by degrees, although the trouble goes on"


def test_a_queue_whose_calls_are_answered_in_time_is_not_drained_in_haste() -> None:
    assert lowest(60.0, 100.0, 1.0, POLICY, CONTROL) == pytest.approx(0.48)


def test_a_breaker_on_a_dead_callee_halves_what_passes_down_to_its_probes() -> None:
    held, seen = 1.0, list[float]()
    for _ in range(6):
        held = passing(held, 0.0, 0.0, overloaded=True, policy=POLICY, control=CONTROL)
        seen.append(held)
    assert seen == [0.5, 0.25, 0.125, 0.0625, 0.05, 0.05]


def test_a_breaker_leaves_alone_what_answers() -> None:
    assert passing(1.0, 0.9, 0.0, overloaded=True, policy=POLICY, control=CONTROL) == 1.0


@given(st.floats(0.05, 1.0), st.floats(0.0, 1.0), st.booleans())
def test_no_step_of_the_breaker_is_too_large(held: float, ok: float, overloaded: bool) -> None:
    after = passing(held, ok, 0.0, overloaded=overloaded, policy=POLICY, control=CONTROL)
    assert 0.05 <= after <= 1.0
    assert after >= held * 0.5 - 1e-12
    assert after <= held * 1.25 + 1e-12


@pytest.mark.parametrize(("queue_delay", "share"), [(0.0, 0.95), (0.02, 0.95), (0.4, 0.8), (1.0, 0.5), (30.0, 0.5)])
def test_a_surge_is_let_what_the_callee_can_do_less_what_empties_its_queue(queue_delay: float, share: float) -> None:
    assert draining(400.0, queue_delay, CONTROL) == pytest.approx(share * (400.0 - 2.0 * 20.0))


def test_no_more_than_a_part_of_what_was_seen_is_taken_for_chance() -> None:
    assert draining(100.0, 0.0, CONTROL) == pytest.approx(0.95 * 85.0)
    assert draining(2.0, 0.0, CONTROL) == pytest.approx(0.95 * 1.7)
