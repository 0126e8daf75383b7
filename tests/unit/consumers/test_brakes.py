"""The mechanisms, numbers in and numbers out."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers.brakes import (
    LEVELS,
    RateMeter,
    RetryBudget,
    TokenBucket,
    degrade_level,
    priority,
    trips,
)
from snowshed.consumers.brakes.retry_budget import DEPTH, FLOOR, FLOOR_RATE
from snowshed.consumers.brakes.token_bucket import BURST, CREDIT
from snowshed.schemas.propagation import LOWEST_PRIORITY, Criticality


def _taken(bucket: TokenBucket, now: float, tries: int, level: int = LOWEST_PRIORITY) -> int:
    return sum(bucket.take(now, level) == 0.0 for _ in range(tries))


def test_a_bucket_without_a_limit_lets_everything_pass() -> None:
    assert _taken(TokenBucket(0.0), 0.0, 10_000) == 10_000


def test_a_limit_admits_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(0.0)
    bucket.tune(10.0, 0.0)
    assert _taken(bucket, 0.0, 100) == 5
    assert bucket.take(0.0) == pytest.approx(0.1)
    assert _taken(bucket, 0.3, 100) == 3
    assert _taken(bucket, 60.0, 100) == 5


def test_a_lowered_limit_keeps_no_tokens_of_the_higher_one_and_zero_refuses_all() -> None:
    bucket = TokenBucket(0.0)
    bucket.tune(1000.0, 0.0)
    bucket.tune(2.0, 0.0)
    assert _taken(bucket, 0.0, 100) == 1
    bucket.tune(0.0, 1.0)
    assert bucket.take(50.0) == inf
    bucket.tune(inf, 60.0)
    assert bucket.take(60.0) == 0.0


def test_a_higher_priority_takes_on_credit_what_lower_ones_pay_back() -> None:
    bucket = TokenBucket(0.0)
    bucket.tune(20.0, 0.0)
    assert _taken(bucket, 0.0, 100) == 10
    assert _taken(bucket, 0.0, 100, LOWEST_PRIORITY // 2) == 5
    assert _taken(bucket, 0.0, 100, 0) == 5
    assert bucket.take(0.0, 0) == pytest.approx(1.0 / 20.0)
    assert bucket.take(0.0) == pytest.approx(11.0 / 20.0), "after all of it has been paid back"
    assert _taken(bucket, 0.5, 100) == 0
    assert _taken(bucket, 0.55, 100) == 1


def test_even_a_small_rate_has_some_credit_and_none_at_all_has_none() -> None:
    bucket = TokenBucket(0.0)
    bucket.tune(0.5, 0.0)
    assert _taken(bucket, 0.0, 100) == 1
    assert _taken(bucket, 0.0, 100, 0) == CREDIT
    bucket.tune(0.0, 0.0)
    assert bucket.take(50.0, 0) == inf


@given(
    rate=st.floats(0.1, 1000),
    steps=st.lists(st.tuples(st.floats(0, 2), st.integers(0, LOWEST_PRIORITY)), max_size=200),
)
def test_over_any_time_a_bucket_admits_at_most_burst_and_credit_plus_rate(
    rate: float, steps: list[tuple[float, int]]
) -> None:
    bucket = TokenBucket(0.0)
    bucket.tune(rate, 0.0)
    now, taken = 0.0, 0
    for step, level in steps:
        now += step
        taken += _taken(bucket, now, 3, level)
        assert taken <= max(1.0, rate * BURST) + max(CREDIT, rate * BURST) + rate * now + 1e-6


@given(
    rate=st.floats(0.1, 1000),
    steps=st.lists(st.tuples(st.floats(0, 2), st.integers(0, LOWEST_PRIORITY)), max_size=200),
    lower=st.integers(0, LOWEST_PRIORITY),
    higher=st.integers(0, LOWEST_PRIORITY),
)
def test_at_no_moment_does_a_lower_priority_pass_where_a_higher_one_does_not(
    rate: float, steps: list[tuple[float, int]], lower: int, higher: int
) -> None:
    bucket = TokenBucket(0.0)
    bucket.tune(rate, 0.0)
    now = 0.0
    for step, level in steps:
        now += step
        bucket.take(now, level)
        assert bucket.wait(now, min(lower, higher)) <= bucket.wait(now, max(lower, higher))


def test_a_quiet_caller_may_retry_three_times_and_then_rarely() -> None:
    budget = RetryBudget(0.0)
    assert [budget.send() for _ in range(5)] == [True, True, True, False, False]
    budget.tune(0.1, 1.0, 10.0)
    assert [budget.send() for _ in range(5)] == [True, True, True, False, False]


def test_ten_first_attempts_earn_one_retry() -> None:
    budget = RetryBudget(0.0)
    budget.tune(0.1, 0.0, 0.0)
    while budget.send():
        pass
    earned = 0
    for _ in range(100):
        budget.first()
        earned += budget.send()
    assert earned == pytest.approx(10, abs=1)


def test_the_bucket_is_two_seconds_of_tokens_deep() -> None:
    budget = RetryBudget(0.0)
    for second in range(1, 61):
        for _ in range(1000):
            budget.first()
        budget.tune(0.1, 1.0, float(second))
    assert sum(budget.send() for _ in range(10_000)) == pytest.approx(0.1 * 1000 * DEPTH, abs=2)


def test_a_budget_of_nothing_allows_nothing_not_even_the_floor() -> None:
    budget = RetryBudget(0.0)
    budget.tune(0.0, 1.0, 5.0)
    budget.first()
    assert not budget.send()


def test_a_retry_charged_when_scheduled_is_not_charged_again_when_sent() -> None:
    budget = RetryBudget(0.0)
    assert [budget.schedule() for _ in range(4)] == [True, True, True, False]
    assert [budget.send() for _ in range(4)] == [True, True, True, False]


_EVENTS = st.lists(
    st.one_of(st.just("first"), st.just("send"), st.just("schedule"), st.floats(0.01, 3.0)), max_size=300
)


@given(events=_EVENTS, ratio=st.floats(0, 0.5), floor=st.floats(0, 1))
def test_retries_never_exceed_the_budget_in_any_interleaving(
    events: list[str | float], ratio: float, floor: float
) -> None:
    """Every retry is paid for: by the initial bucket, by first attempts or by the floor."""
    budget = RetryBudget(0.0)
    budget.tune(ratio, floor, 0.0)
    now, firsts, charged, sent = 0.0, 0, 0, 0
    for event in events:
        if event == "first":
            budget.first()
            firsts += 1
        elif event == "send":
            sent += budget.send()
        elif event == "schedule":
            charged += budget.schedule()
        elif isinstance(event, float):
            now += event
            budget.tune(ratio, floor, now)
        allowed = FLOOR + ratio * firsts + FLOOR_RATE * floor * now
        assert max(charged, sent) <= allowed + 1e-6
        if ratio == 0:
            assert charged == sent == 0


def test_levels_refuse_class_after_class_and_end_retries() -> None:
    assert [level.lowest for level in LEVELS] == [
        Criticality.SHEDDABLE,
        Criticality.SHEDDABLE,
        Criticality.SHEDDABLE,
        Criticality.CRITICAL,
        Criticality.CRITICAL_PLUS,
    ]
    assert [level.retry_budget for level in LEVELS] == [None, 0.05, 0.05, 0.0, 0.0]
    assert degrade_level(9) is LEVELS[4]
    assert degrade_level(-1) is LEVELS[0]


def test_priorities_order_classes_before_cohorts() -> None:
    assert priority(Criticality.CRITICAL_PLUS, 127) < priority(Criticality.CRITICAL, 0)
    assert priority(Criticality.SHEDDABLE, 127) == LOWEST_PRIORITY


def test_a_breaker_refuses_none_at_zero_all_at_one_and_its_share_between() -> None:
    draws = [n / 100 for n in range(100)]
    assert [sum(trips(p, draw) for draw in draws) for p in (0.0, 0.25, 1.0)] == [0, 25, 100]


def test_a_rate_is_the_mean_at_first_and_an_average_later() -> None:
    meter = RateMeter(30.0, 0.0)
    for second in range(1, 11):
        meter.counted += 50
        assert meter.roll(float(second)) == pytest.approx(50)
    assert meter.observed == 10.0
    assert 45 < meter.roll(11.0) < 50, "one silent second barely counts"


def test_a_held_rate_learns_nothing() -> None:
    meter = RateMeter(30.0, 0.0)
    meter.counted += 100
    meter.roll(10.0)
    for second in range(11, 100):
        meter.hold(float(second))
    assert meter.rate == 10.0
    assert meter.observed == 10.0
    meter.counted += 10
    assert meter.roll(100.0) == pytest.approx(10.0)
