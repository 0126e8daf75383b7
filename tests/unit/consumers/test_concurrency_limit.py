"""The adaptive concurrency limit: each row of its table, and against a model of a callee with slots."""

from __future__ import annotations

import heapq
import random
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers import Brake, Guard, LocalBrakes, Permit, Refusal
from snowshed.consumers.brakes import ConcurrencyLimit, ConcurrencyLimitOptions
from snowshed.consumers.brakes.correlation import Correlation
from snowshed.consumers.brakes.limit_rule import Change, LimitRule, LimitSample
from snowshed.consumers.testing import FakeClock, decision, in_memory_view
from snowshed.schemas.propagation import Criticality
from snowshed.schemas.records import Decision, DecisionKind


def _sample(
    rtt: float = 0.1, *, in_flight: float = 20.0, throughput: float | None = None, **given: object
) -> LimitSample:
    settings: dict[str, object] = {"dropped": 0.0, "is_full": False, "peak": round(in_flight), **given}
    rate = in_flight / rtt if throughput is None else throughput
    return LimitSample(rtt=rtt, in_flight=in_flight, throughput=rate, **settings)  # type: ignore[arg-type]


def _rule(windows: int = 30, rtt: float = 0.1) -> LimitRule:
    """A rule that has seen a callee without a queue, and few calls in flight."""
    rule = LimitRule()
    for _ in range(windows):
        rule.next(100.0, _sample(rtt), frozen=False)
    return rule


def test_without_a_queue_it_doubles_until_the_first_one_and_then_creeps() -> None:
    rule = LimitRule()
    assert rule.next(20.0, _sample(), frozen=False) == 40.0
    assert rule.next(40.0, _sample(), frozen=False) == 80.0
    for _ in range(8):
        rule.next(20.0, _sample(0.5), frozen=True)
    assert rule.last is Change.QUEUE
    for _ in range(20):
        rule.next(10.0, _sample(), frozen=True)
    assert rule.next(10.0, _sample(), frozen=True) == 11.0
    assert rule.next(100.0, _sample(in_flight=60.0), frozen=True) == 102.0


def test_a_limit_that_is_not_used_does_not_grow() -> None:
    rule = LimitRule()
    assert rule.next(50.0, _sample(in_flight=24.0), frozen=False) == 50.0
    assert rule.last is Change.HOLD
    assert rule.next(50.0, _sample(in_flight=25.0), frozen=False) == 100.0


def test_a_queue_lowers_it_by_its_logarithm() -> None:
    rule = _rule()
    for _ in range(5):
        rule.next(100.0, _sample(0.2), frozen=True)
    assert rule.next(100.0, _sample(0.2), frozen=True) == 98.0
    assert rule.last is Change.QUEUE


def test_too_near_to_the_deadline_it_falls_by_a_tenth_whatever_was_normal() -> None:
    rule = _rule(rtt=0.9)
    assert rule.next(100.0, _sample(0.9, deadline=1.0), frozen=False) == 90.0
    assert rule.last is Change.TOO_LATE


def test_time_outs_count_though_the_answered_calls_are_quick() -> None:
    rule = _rule()
    assert rule.next(100.0, _sample(dropped=0.11), frozen=False) == 90.0
    assert rule.next(100.0, _sample(nan, throughput=0.0, dropped=1.0), frozen=False) == 90.0


@pytest.mark.parametrize(
    ("change", "pairs"),
    [
        (Change.THROUGHPUT_FALLS, [(20 + n, 200 - n, 0.1) for n in range(20)]),
        (Change.THROUGHPUT_LAGS, [(20 + n, 200 + 90 * (n % 2), 0.1 + 0.001 * n) for n in range(20)]),
        (Change.THROUGHPUT_STANDS, [(20 + n, 200 + n, 0.1 + 0.001 * n) for n in range(20)]),
        (Change.ROOM, [(20 + n, 10 * (10 + 2 * n), 0.1 + 0.0001 * n) for n in range(20)]),
    ],
)
def test_a_full_limit_goes_by_what_throughput_and_delay_do(
    change: Change, pairs: list[tuple[float, float, float]]
) -> None:
    rule = LimitRule()
    for in_flight, throughput, rtt in pairs:
        rule.next(30.0, _sample(rtt, in_flight=in_flight, throughput=throughput, is_full=True), frozen=False)
    assert rule.last is change


def test_the_baseline_learns_nothing_while_it_is_frozen() -> None:
    frozen, free = _rule(), _rule()
    for _ in range(60):
        frozen.next(100.0, _sample(0.4), frozen=True)
        free.next(100.0, _sample(0.4), frozen=False)
    assert frozen.last is Change.QUEUE
    assert free.last is not Change.QUEUE, "what lasts becomes normal, hence the deadline above all"


_NUMBERS = st.floats(1e-3, 1e3)


@given(
    limit=st.floats(1, 200),
    samples=st.lists(
        st.tuples(st.floats(1e-4, 10), st.integers(0, 300), st.floats(0, 1), st.booleans(), st.booleans()), max_size=60
    ),
)
def test_a_step_is_bounded_whatever_is_measured(
    limit: float, samples: list[tuple[float, int, float, bool, bool]]
) -> None:
    rule = LimitRule()
    for rtt, peak, dropped, full, frozen in samples:
        sample = LimitSample(
            rtt=rtt,
            throughput=peak / rtt,
            in_flight=float(peak),
            peak=peak,
            dropped=dropped,
            is_full=full,
            deadline=1.0,
        )
        after = rule.next(limit, sample, frozen=frozen)
        assert 0.0 <= limit * 0.9 - 2.4 <= after <= limit * 2.0 or after >= limit - 2.4
        if rtt > 0.8 or dropped > 0.1:
            assert after < limit
        limit = min(max(1.0, after), 200.0)


@given(pairs=st.lists(st.tuples(_NUMBERS, _NUMBERS), max_size=60))
def test_a_correlation_lies_between_minus_one_and_one(pairs: list[tuple[float, float]]) -> None:
    correlation = Correlation(50)
    for x, y in pairs:
        correlation.add(x, y)
        assert -1.0 <= correlation.coefficient <= 1.0
        assert 0.0 <= correlation.variation < inf


def test_a_correlation_knows_lines_and_constants() -> None:
    rising, falling, constant = Correlation(50), Correlation(50), Correlation(50)
    for n in range(1, 30):
        rising.add(n, 3.0 * n)
        falling.add(n, -3.0 * n)
        constant.add(7.1, n)
    assert rising.coefficient == pytest.approx(1.0)
    assert falling.coefficient == pytest.approx(-1.0)
    assert constant.coefficient == 0.0
    assert Correlation(5).variation == 0.0


def test_one_more_than_the_limit_is_refused_and_a_place_given_back_is_free() -> None:
    limit = ConcurrencyLimit(ConcurrencyLimitOptions(start=2), 0.0)
    for _ in range(2):
        assert not limit.refuses()
        limit.admitted(None)
    assert limit.refuses()
    limit.ignored()
    assert not limit.refuses()
    limit.dropped()
    assert limit.in_flight == 0


def test_a_higher_class_exceeds_a_limit_that_lower_ones_fill_and_they_wait_for_it() -> None:
    limit = ConcurrencyLimit(ConcurrencyLimitOptions(start=8), 0.0)

    def taken(criticality: Criticality) -> int:
        count = 0
        while not limit.refuses(criticality):
            limit.admitted(None)
            count += 1
        return count

    assert taken(Criticality.CRITICAL) == 8, "alone it has the limit and no more"
    assert limit.refuses(Criticality.SHEDDABLE)
    assert taken(Criticality.SHEDDABLE_PLUS) == 2
    assert taken(Criticality.CRITICAL) == 2
    assert taken(Criticality.CRITICAL_PLUS) == 2
    for _ in range(6):
        limit.ignored()
        assert limit.refuses(Criticality.SHEDDABLE), "until the limit is met again"
    limit.ignored()
    assert not limit.refuses(Criticality.SHEDDABLE)
    limit.admitted(None)
    limit.tick(60.0, frozen=False)
    limit.tick(120.0, frozen=False)
    assert limit.in_flight == limit.limit == 8
    assert limit.refuses(Criticality.CRITICAL), "long after a lower class has called"


def test_a_window_waits_for_enough_calls_but_not_for_ever() -> None:
    limit = ConcurrencyLimit(ConcurrencyLimitOptions(), 0.0)
    for _ in range(49):
        limit.admitted(None)
        limit.succeeded(0.1)
    limit.tick(29.0, frozen=False)
    assert limit.last_change is None
    limit.tick(30.0, frozen=False)
    assert limit.last_change is Change.HOLD
    limit.tick(61.0, frozen=False)
    assert limit.limit == 20.0, "a window without calls changes nothing"


def test_a_limit_from_busy_times_is_not_trusted_in_quiet_ones() -> None:
    limit = ConcurrencyLimit(ConcurrencyLimitOptions(), 0.0)
    limit.limit = 200.0
    for _ in range(10):
        limit.admitted(None)
    for _ in range(10):
        limit.succeeded(0.1)
    limit.tick(30.0, frozen=False)
    assert limit.limit == 50.0


class _Callee:
    """A callee with so many slots and exponential service times, called as soon as the limit allows."""

    def __init__(self, slots: int, seconds: float, limit: ConcurrencyLimit, seed: int = 5) -> None:
        self.seconds = seconds
        self._limit = limit
        self._free = [0.0] * slots
        self._random = random.Random(seed)
        self._ends: list[tuple[float, float]] = []
        self.now = 0.0
        self.answered = 0
        self.refused = 0

    def run(self, rate: float, until: float, deadline: float | None = None) -> None:
        ticked = self.now
        while self.now < until:
            self.now += self._random.expovariate(rate)
            while self._ends and self._ends[0][0] <= self.now:
                _, elapsed = heapq.heappop(self._ends)
                self._limit.succeeded(elapsed)
            if self.now - ticked >= 0.05:
                ticked = self.now
                self._limit.tick(self.now, frozen=False)
            self._call(deadline)

    def _call(self, deadline: float | None) -> None:
        if self._limit.refuses():
            self.refused += 1
            return
        self._limit.admitted(deadline)
        start = max(self.now, heapq.heappop(self._free))
        end = start + self._random.expovariate(1 / self.seconds)
        heapq.heappush(self._free, end)
        heapq.heappush(self._ends, (end, end - self.now))
        self.answered += 1


def test_an_unloaded_callee_is_never_limited_below_what_it_is_asked() -> None:
    limit = ConcurrencyLimit(ConcurrencyLimitOptions(), 0.0)
    callee = _Callee(100, 0.05, limit)
    callee.run(400.0, 3.0)
    refused = callee.refused
    callee.run(400.0, 30.0)
    assert callee.refused == refused, "what it starts with is soon doubled"


def test_an_overloaded_callee_keeps_its_throughput_and_its_queue_short() -> None:
    """15 slots of 50 ms serve 300 calls a second, and 450 are asked."""
    limit = ConcurrencyLimit(ConcurrencyLimitOptions(), 0.0)
    callee = _Callee(15, 0.05, limit)
    callee.run(200.0, 20.0)
    answered = callee.answered
    callee.run(450.0, 80.0)
    assert callee.answered - answered > 0.95 * 300 * 60
    assert 12 <= limit.limit <= 30


def test_the_deadline_holds_where_the_baseline_has_always_been_bad() -> None:
    limit = ConcurrencyLimit(ConcurrencyLimitOptions(start=200), 0.0)
    _Callee(5, 0.05, limit).run(300.0, 60.0, deadline=0.5)
    assert limit.limit < 50, "100 calls a second are served, so 40 in flight take 400 ms"


def test_a_guard_refuses_what_is_too_much_in_flight() -> None:
    clock = FakeClock()
    guard = Guard("orders", clock=clock, local=LocalBrakes(limit=ConcurrencyLimitOptions(start=1)))
    permit = guard("read")
    answer = guard.try_admit("read")
    assert isinstance(answer, Refusal)
    assert (answer.brake, answer.reason) == (Brake.LIMIT, "more than 1 calls in flight")
    permit.succeeded()
    assert isinstance(guard.try_admit("read"), Permit)
    assert (guard.concurrency, guard.stats.local.limit) == (1, 1.0)


@pytest.mark.parametrize(
    ("in_force", "follows"),
    [
        (decision("orders", DecisionKind.RATE, absolute_cap=1e6, ttl=1e6), False),
        (decision("orders", DecisionKind.RETRY, retry_budget=0.1, ttl=1e6), True),
        (decision("orders", DecisionKind.DEGRADE, degrade_level=1, ttl=1e6), True),
    ],
    ids=["rate", "retry", "degrade"],
)
def test_the_baseline_follows_latencies_that_rose_for_good_unless_a_decision_cuts_what_comes_in(
    in_force: Decision, *, follows: bool
) -> None:
    clock = FakeClock()
    view = in_memory_view(in_force, clock=clock)
    guard = Guard("orders", view=view, clock=clock, local=LocalBrakes(limit=ConcurrencyLimitOptions(start=100)))
    for seconds in [0.02] * 30 + [0.2] * 60:
        permits = [guard("read") for _ in range(60)]
        clock.advance(seconds)
        for permit in permits:
            permit.succeeded()
        clock.advance(1.0)
    assert ((guard.stats.local.limit or 0) >= 80) is follows
