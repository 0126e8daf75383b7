"""The control of one callee, step by step and without a fold around it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowshed.streams.cascade.throttle import Situation, Throttle, steer
from snowshed.streams.policy import OverloadPolicy

CALM = Situation(
    callee="api",
    domain="default",
    overloaded=False,
    clear=True,
    excess=0.1,
    reject_ratio=0.0,
    usual_rate=100.0,
    reporters=2.0,
    observed_at=0.0,
    may_cut=True,
)


def driven(script: list[Situation], policy: OverloadPolicy) -> list[Throttle | None]:
    held: Throttle | None = None
    seen: list[Throttle | None] = []
    for second, situation in enumerate(script):
        held = steer(held, replace(situation, observed_at=float(second)), float(second), policy)
        seen.append(held)
    return seen


def overloaded(excess: float) -> Situation:
    return replace(CALM, overloaded=True, clear=False, excess=excess)


def test_no_step_cuts_deeper_than_the_largest_cut_however_great_the_excess() -> None:
    throttles = driven([overloaded(1e6)] * 5, OverloadPolicy())
    assert [throttle.multiplier for throttle in throttles if throttle] == [1.0, 1.0, 0.5, 0.25, 0.125]


def test_a_level_is_kept_for_its_dwell_even_when_all_is_clear() -> None:
    policy = OverloadPolicy(clean=(3.0, 3.0), dwell=8.0)
    levels = [throttle.level if throttle else 0 for throttle in driven([overloaded(2.0)] * 3 + [CALM] * 20, policy)]
    assert levels == [1, 1, *[2] * 8, *[1] * 8, *[0] * 5]


def test_one_unclear_window_restarts_the_clean_time() -> None:
    policy = OverloadPolicy(clean=(5.0, 5.0), dwell=0.0)
    murky = replace(CALM, clear=False, excess=0.8)
    throttles = driven([overloaded(2.0), *[CALM] * 4, murky, *[CALM] * 6], policy)
    assert [second for second, throttle in enumerate(throttles) if throttle is None] == [11]


def test_many_refusals_raise_the_level_without_waiting() -> None:
    (_, second) = driven([overloaded(2.0), replace(overloaded(2.0), reject_ratio=0.06)], OverloadPolicy())
    assert second is not None
    assert second.level == 2


situations = st.builds(
    replace,
    st.just(CALM),
    overloaded=st.booleans(),
    clear=st.booleans(),
    excess=st.floats(0.0, 1e9),
    reject_ratio=st.floats(0.0, 1.0),
    may_cut=st.booleans(),
)


@settings(deadline=None)
@given(st.lists(situations, max_size=60))
def test_rate_and_level_stay_in_bounds_and_move_in_bounded_steps(script: list[Situation]) -> None:
    policy = OverloadPolicy()
    previous: Throttle | None = None
    for throttle in driven(script, policy):
        if throttle:
            assert throttle.level in {0, 1, 2}
            assert policy.minimum_multiplier <= throttle.multiplier <= 1.0
        if throttle and previous:
            assert abs(throttle.level - previous.level) <= 1
            ratio = throttle.multiplier / previous.multiplier
            assert 0.5 - 1e-9 <= ratio <= 1.25 + 1e-9
        assert throttle or not previous or previous.multiplier == pytest.approx(1.0, abs=0.05)
        previous = throttle
