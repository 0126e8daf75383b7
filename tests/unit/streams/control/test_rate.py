"""The law of the admitted rate."""

from __future__ import annotations

from math import nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowshed.streams.control.rate import factor, lowest, passing, share
from snowshed.streams.policy import ControlPolicy, OverloadPolicy

POLICY, CONTROL = OverloadPolicy(), ControlPolicy()


@pytest.mark.parametrize(("excess", "step"), [(1.0, 1.0), (2.25, 1 / 1.5), (4.0, 0.5), (100.0, 0.5)])
def test_the_rate_falls_with_the_root_of_the_excess_and_never_below_half(excess: float, step: float) -> None:
    assert factor(excess, overloaded=True, clear=False, policy=POLICY) == pytest.approx(step)


def test_between_bad_and_clear_nothing_moves() -> None:
    assert factor(0.7, overloaded=False, clear=False, policy=POLICY) == 1.0


def test_the_rate_rises_by_five_per_cent_and_stops_at_the_whole() -> None:
    assert factor(0.1, overloaded=False, clear=True, policy=POLICY) == 1.05
    assert share(0.99, 1.05, 0.05) == 1.0


def test_the_rate_is_not_cut_below_half_of_what_the_callee_does_even_now() -> None:
    floor = lowest(60.0, 100.0, POLICY, CONTROL)
    assert floor == 0.3
    assert share(0.4, 0.5, floor) == 0.3
    assert share(0.2, 0.5, floor) == 0.2
    assert lowest(nan, 100.0, POLICY, CONTROL) == POLICY.minimum_multiplier


def test_a_breaker_on_a_dead_callee_halves_what_passes_down_to_its_probes() -> None:
    held, seen = 1.0, list[float]()
    for _ in range(6):
        held = passing(held, 0.0, overloaded=True, policy=POLICY, control=CONTROL)
        seen.append(held)
    assert seen == [0.5, 0.25, 0.125, 0.0625, 0.05, 0.05]


def test_a_breaker_leaves_alone_what_answers() -> None:
    assert passing(1.0, 0.9, overloaded=True, policy=POLICY, control=CONTROL) == 1.0


@settings(deadline=None)
@given(st.floats(0.05, 1.0), st.floats(0.0, 1.0), st.booleans())
def test_no_step_of_the_breaker_is_too_large(held: float, ok: float, overloaded: bool) -> None:
    after = passing(held, ok, overloaded=overloaded, policy=POLICY, control=CONTROL)
    assert 0.05 <= after <= 1.0
    assert after >= held * 0.5 - 1e-12
    assert after <= held * 1.25 + 1e-12
