"""The control of one callee, step by step and without a fold around it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.cascade.situation import Situation
from snowshed.streams.cascade.steering import steer
from snowshed.streams.cascade.throttle import Throttle
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


def surge(excess: float) -> Situation:
    """Overloaded because more is asked than can be borne."""
    return replace(overloaded(excess), pressed=True)


def lost(excess: float, balance: float = 1.5) -> Situation:
    """Overloaded although only the usual is asked: no answer comes in time."""
    return replace(overloaded(excess), goodput=0.0, useful=0.0, balance=balance, capacity=60.0)


def levels(script: list[Situation]) -> list[int]:
    return [throttle.level if throttle else 0 for throttle in driven(script, OverloadPolicy())]


def test_capacity_that_comes_back_within_ten_seconds_costs_no_shedding() -> None:
    growing = [lost(10.0 * second) for second in range(1, 10)]
    draining = [lost(100.0, balance=0.4)] * 20
    assert max(levels([*growing, *draining])) == 1
    assert levels([*growing, lost(100.0), lost(110.0), lost(120.0)])[-1] == 2


def test_a_budget_that_callers_have_not_heard_of_is_not_found_wanting_for_a_dwell() -> None:
    retrying = [replace(lost(10.0 * second), amplification=4.0) for second in range(1, 40)]
    assert levels(retrying).index(2) == 19


def test_a_callee_that_refuses_by_itself_and_answers_the_rest_in_time_is_left_to_its_own_brake() -> None:
    refusing = replace(overloaded(20.0), goodput=0.3, useful=1.0, reject_ratio=0.7)
    assert set(levels([refusing] * 120)) == {1}


def test_trouble_that_comes_back_is_shed_at_once_and_for_twice_as_long() -> None:
    script = [surge(5.0)] * 3 + [CALM] * 25 + [lost(5.0)] * 3 + [CALM] * 50
    seen = levels(script)
    changes = [second for second in range(1, len(seen)) if seen[second] != seen[second - 1]]
    assert [seen[second] for second in changes] == [2, 1, 2, 1]
    assert changes == [2, 23, 28, 71]


def test_the_rate_is_found_again_in_small_steps_beside_the_last_one_that_showed_a_queue() -> None:
    script = [surge(5.0)] * 4 + [replace(CALM, pressed=True)] * 25
    rates = [throttle.multiplier for throttle in driven(script, OverloadPolicy()) if throttle]
    rising = [later / earlier for earlier, later in itertools.pairwise(rates[4:]) if later < 1.0]
    assert rising[0] == 1.25
    assert rising == sorted(rising, reverse=True)
    assert rising[-1] < 1.02
    assert rates[-1] == OverloadPolicy().headroom


def test_a_cut_begins_at_the_usual_rate_however_far_the_rate_had_risen_above_it() -> None:
    pressed = replace(CALM, pressed=True)
    risen, cut = driven([surge(5.0)] * 4 + [pressed] * 25 + [surge(2.25)], OverloadPolicy())[-2:]
    assert risen is not None
    assert cut is not None
    assert risen.multiplier == OverloadPolicy().headroom
    assert cut.multiplier == pytest.approx(1 / 1.5)


def test_a_rate_is_cut_no_deeper_while_its_queue_drains() -> None:
    script = [surge(5.0)] * 3 + [replace(surge(5.0), balance=0.5)] * 20
    rates = [throttle.multiplier for throttle in driven(script, OverloadPolicy())[2:] if throttle]
    assert rates == [0.5] * 21


def test_no_step_cuts_deeper_than_the_largest_cut_however_great_the_excess() -> None:
    throttles = driven([surge(1e6)] * 5, OverloadPolicy())
    assert [throttle.multiplier for throttle in throttles if throttle] == [1.0, 1.0, 0.5, 0.25, 0.125]


def test_a_level_is_kept_for_its_dwell_even_when_all_is_clear() -> None:
    policy = OverloadPolicy(clean=(3.0, 3.0), dwell=8.0)
    levels = [throttle.level if throttle else 0 for throttle in driven([surge(2.0)] * 3 + [CALM] * 20, policy)]
    assert levels == [1, 1, *[2] * 8, *[1] * 8, *[0] * 5]


def test_one_unclear_window_restarts_the_clean_time() -> None:
    policy = OverloadPolicy(clean=(5.0, 5.0), dwell=0.0)
    murky = replace(CALM, clear=False, excess=0.8)
    throttles = driven([overloaded(2.0), *[CALM] * 4, murky, *[CALM] * 6], policy)
    assert [second for second, throttle in enumerate(throttles) if throttle is None] == [11]


def test_many_refusals_raise_the_level_without_waiting() -> None:
    (_, second) = driven([surge(2.0), replace(surge(2.0), reject_ratio=0.06)], OverloadPolicy())
    assert second is not None
    assert second.level == 2


situations = st.builds(
    replace,
    st.just(CALM),
    overloaded=st.booleans(),
    clear=st.booleans(),
    excess=st.floats(0.0, 1e9),
    reject_ratio=st.floats(0.0, 1.0),
    pressed=st.booleans(),
    goodput=st.floats(0.0, 1.0),
    useful=st.floats(0.0, 1.0),
    balance=st.floats(0.0, 3.0),
    amplification=st.floats(1.0, 5.0),
    capacity=st.floats(0.0, 200.0),
    may_cut=st.booleans(),
)


@given(st.lists(situations, max_size=60))
def test_rate_and_level_stay_in_bounds_and_move_in_bounded_steps(script: list[Situation]) -> None:
    policy = OverloadPolicy()
    previous: Throttle | None = None
    for throttle in driven(script, policy):
        if throttle:
            assert throttle.level in {0, 1, 2, 3}
            assert policy.minimum_multiplier <= throttle.multiplier <= policy.headroom
        if throttle and previous:
            assert abs(throttle.level - previous.level) <= 1
            assert throttle.multiplier <= 1.25 * previous.multiplier + 1e-9
            assert throttle.multiplier >= 0.5 * min(previous.multiplier, 1.0) - 1e-9
        assert throttle or not previous or previous.multiplier >= 0.95
        previous = throttle


def test_where_what_is_left_fails_too_the_next_class_is_shed() -> None:
    failing = replace(surge(100.0), goodput=0.0, useful=0.0)
    assert levels([failing] * 20)[-1] == 3
    assert max(levels([replace(failing, useful=1.0)] * 20)) == 2


def test_a_trigger_that_answers_what_it_is_let_is_left_what_it_can_do() -> None:
    """A tenth of its capacity is left; its brake refuses most, and the breaker stops where it would starve it."""
    broken = replace(surge(20.0), trigger="api", ok_share=0.5, goodput=0.1, offered=100.0, capacity=20.0)
    throttle = driven([broken] * 30, OverloadPolicy())[-1]
    assert throttle is not None
    assert throttle.level == 3
    assert throttle.passing == pytest.approx(0.16)


def test_a_path_that_was_cut_gets_all_of_its_calls_back_at_once_when_some_arrive() -> None:
    lossy = replace(lost(20.0), trigger="web>api", ok_share=0.0, arrives=False)
    arriving = replace(CALM, trigger="web>api", ok_share=1.0)
    script = [*[lossy] * 12, replace(lossy, overloaded=False, clear=True), arriving]
    before, cut, whole = (
        throttle.passing for throttle in driven(script, OverloadPolicy())[-3:] if throttle is not None
    )
    assert before < cut < 0.2
    assert whole == 1.0


def test_behind_a_cold_cache_the_rate_is_what_the_store_can_do_and_not_what_is_usual() -> None:
    cold = replace(surge(20.0), cold=True, usual_rate=20.0, capacity=75.0)
    throttle = driven([cold] * 10, OverloadPolicy())[-1]
    assert throttle is not None
    assert throttle.multiplier * throttle.usual_rate == pytest.approx(75.0)


@pytest.mark.parametrize(("before", "capacity", "admits"), [(80.0, 60.0, 30.0), (80.0, 0.0, 40.0), (0.0, 0.0, 50.0)])
def test_the_way_out_begins_at_half_of_what_the_callee_was_last_seen_to_do(
    before: float, capacity: float, admits: float
) -> None:
    script = [replace(overloaded(3.0), capacity=before), replace(overloaded(9.0), capacity=capacity, metastable=True)]
    led = driven(script, OverloadPolicy())[-1]
    assert led is not None
    assert led.programme is not None
    assert led.programme.rate == pytest.approx(admits, rel=0.05), "a little of what was seen has been forgotten"
