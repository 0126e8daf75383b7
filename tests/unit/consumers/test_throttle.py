"""The throttle brake."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers.brakes import Throttle, ThrottleOptions


def _step(
    throttle: Throttle, now: float, calls: int, accepted: float, rng: random.Random, *, overloaded: bool = False
) -> int:
    """A tenth of a second: calls, of which a share is accepted, all answered at once; returns how many were sent."""
    sent = 0
    for _ in range(calls):
        if throttle.refuses(rng.random()):
            continue
        throttle.begun += 1
        sent += 1
        if rng.random() < accepted:
            throttle.accepted()
        else:
            throttle.dropped()
    throttle.tick(now, overloaded=overloaded)
    return sent


def _run(throttle: Throttle, seconds: float, accepted: float, start: float = 0.0, *, overloaded: bool = False) -> int:
    rng = random.Random(3)
    steps = range(1, round(seconds * 10) + 1)
    return sum(_step(throttle, start + step / 10, 10, accepted, rng, overloaded=overloaded) for step in steps)


def test_half_of_the_calls_may_be_in_vain() -> None:
    throttle = Throttle(ThrottleOptions(), 0.0)
    assert _run(throttle, 60.0, 0.55) == pytest.approx(6000, rel=0.01)
    assert throttle.probability < 0.02


def test_a_callee_that_accepts_little_is_sent_twice_that() -> None:
    """Of 200 calls a second it takes 40."""
    throttle = Throttle(ThrottleOptions(), 0.0)
    rng = random.Random(3)
    sent: list[int] = []
    for step in range(1, 600):
        calls = sum(not throttle.refuses(rng.random()) for _ in range(20))
        throttle.begun += calls
        for number in range(calls):
            throttle.accepted() if number < 4 else throttle.dropped()
        throttle.tick(step / 10, overloaded=False)
        sent.append(calls)
    assert sum(sent[-200:]) / 20 == pytest.approx(80, rel=0.1)


def test_a_dead_callee_is_hardly_called_and_a_recovered_one_fully() -> None:
    throttle = Throttle(ThrottleOptions(), 0.0)
    _run(throttle, 40.0, 1.0)
    _run(throttle, 20.0, 0.0, 40.0)
    assert throttle.probability == 0.9
    assert _run(throttle, 10.0, 0.0, 60.0) == pytest.approx(100, abs=25)
    _run(throttle, 45.0, 1.0, 70.0)
    assert throttle.probability == 0.0


def test_a_decided_overload_makes_it_stricter() -> None:
    mild, strict = Throttle(ThrottleOptions(), 0.0), Throttle(ThrottleOptions(), 0.0)
    _run(mild, 30.0, 0.6)
    _run(strict, 30.0, 0.6, overloaded=True)
    assert mild.probability < 0.01 < strict.probability


def test_few_calls_say_nothing() -> None:
    throttle = Throttle(ThrottleOptions(), 0.0)
    for _ in range(19):
        throttle.begun += 1
        throttle.dropped()
    throttle.tick(1.0, overloaded=False)
    assert throttle.probability == 0.0
    throttle.begun += 1
    throttle.dropped()
    throttle.tick(2.0, overloaded=False)
    assert throttle.probability == 0.9


def test_a_callee_that_hangs_is_throttled_before_the_first_time_out() -> None:
    throttle = Throttle(ThrottleOptions(), 0.0)
    for second in range(1, 5):
        throttle.begun += 100
        throttle.tick(float(second), overloaded=False)
    assert throttle.probability == 0.9


def test_many_slow_calls_at_the_start_are_no_reason() -> None:
    """A second's worth of calls is in flight all the time, and all of them are answered."""
    throttle = Throttle(ThrottleOptions(), 0.0)
    for step in range(1, 100):
        throttle.begun += 100
        if step >= 10:
            for _ in range(100):
                throttle.accepted()
        throttle.tick(step / 10, overloaded=False)
        assert throttle.probability == 0.0


@given(
    events=st.lists(
        st.tuples(st.sampled_from(["call", "accept", "drop"]), st.integers(1, 50), st.floats(0, 5)), max_size=50
    ),
    overloaded=st.booleans(),
)
def test_the_probability_is_one_and_never_acts_on_a_callee_that_accepts_all(
    events: list[tuple[str, int, float]], overloaded: bool
) -> None:
    throttle = Throttle(ThrottleOptions(fewest=1), 0.0)
    now, in_flight, dropped = 0.0, 0, False
    for what, count, later in events:
        now += later
        for _ in range(count if what == "call" else min(count, in_flight)):
            if what == "call":
                throttle.begun += 1
                in_flight += 1
            else:
                in_flight -= 1
                dropped = dropped or what == "drop"
                throttle.accepted() if what == "accept" else throttle.dropped()
        throttle.tick(now, overloaded=overloaded)
        assert 0.0 <= throttle.probability < 1.0
        if not dropped and not in_flight:
            assert throttle.probability == 0.0
