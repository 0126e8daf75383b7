"""Service times, the deadline brake and the time-out that a permit gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers import Brake, Guard, LocalBrakes, Permit, Refusal
from snowshed.consumers.brakes import (
    AdaptiveTimeout,
    AdaptiveTimeoutOptions,
    Deadline,
    DeadlineOptions,
    ServiceTimes,
)
from snowshed.consumers.brakes.service_times import ENOUGH
from snowshed.consumers.testing import FakeClock, decision, in_memory_view
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import CallContext, use_context
from snowshed.schemas.records import DecisionKind


def _known(times: ServiceTimes, seconds: float, now: float, count: int = ENOUGH) -> None:
    for _ in range(count):
        times.add(seconds)
    times.roll(now)


def test_service_times_are_known_after_enough_calls() -> None:
    times = ServiceTimes(10.0, 0.0)
    _known(times, 0.1, 1.0, ENOUGH - 1)
    assert (times.median, times.p99) == (None, None)
    _known(times, 0.1, 2.0, 1)
    assert times.median == pytest.approx(0.1, rel=0.03)
    assert times.p99 == pytest.approx(0.1, rel=0.03)


def test_service_times_that_are_not_renewed_are_forgotten() -> None:
    times = ServiceTimes(10.0, 0.0)
    _known(times, 0.1, 1.0)
    times.roll(11.0)
    assert times.median is not None
    times.roll(21.5)
    assert times.median is None


def test_after_a_long_silence_nothing_is_known() -> None:
    times = ServiceTimes(10.0, 0.0)
    _known(times, 0.1, 1.0)
    times.roll(40.0)
    assert times.median is None


def test_new_service_times_replace_old_ones() -> None:
    times = ServiceTimes(10.0, 0.0)
    _known(times, 1.0, 1.0, 1000)
    for second in range(2, 30):
        _known(times, 0.01, float(second))
    assert times.median == pytest.approx(0.01, rel=0.03)


def test_a_call_without_time_left_is_refused_whatever_is_known() -> None:
    brake = Deadline(DeadlineOptions(share=1.0))
    assert brake.refuses(0.0)
    assert not brake.refuses(0.001)


@given(
    median=st.floats(1e-4, 100),
    share=st.floats(0, 3),
    remaining=st.floats(-1, 100),
    more=st.floats(0, 100),
)
def test_more_time_is_never_refused_where_less_is_admitted(
    median: float, share: float, remaining: float, more: float
) -> None:
    brake = Deadline(DeadlineOptions(share=share))
    brake.tune(median)
    if not brake.refuses(remaining):
        assert remaining > share * median
        assert not brake.refuses(remaining + more)
    brake.tune(None)
    assert brake.refuses(remaining) == (remaining <= 0)


@given(p99s=st.lists(st.one_of(st.none(), st.floats(1e-4, 200)), max_size=20), frozen=st.booleans())
def test_a_time_out_stays_within_its_bounds(p99s: list[float | None], frozen: bool) -> None:
    brake = AdaptiveTimeout(AdaptiveTimeoutOptions(shortest=0.1, longest=10.0))
    for p99 in p99s:
        before = brake.seconds
        brake.tune(p99, frozen=frozen)
        if p99 is None or (frozen and before is not None):
            assert brake.seconds == before
        else:
            assert brake.seconds == min(max(p99 * 1.5, 0.1), 10.0)


class _Service:
    """A guard by a clock that stands still, and calls that take as long as they are told to."""

    def __init__(self, local: LocalBrakes | None = None) -> None:
        self.clock = FakeClock()
        self.view = in_memory_view(clock=self.clock)
        local = local or LocalBrakes(deadline=DeadlineOptions(share=1.0), timeout=AdaptiveTimeoutOptions())
        self.guard = Guard("orders", view=self.view, clock=self.clock, local=local)

    def serves(self, calls: int, seconds: float) -> None:
        for _ in range(calls):
            with self.guard("read"):
                self.clock.advance(seconds)
        self.clock.advance(1.1)

    def asks(self, remaining: float) -> Permit | Refusal:
        return self.guard.try_admit("read", deadline=self.clock() + remaining)


def test_what_cannot_be_finished_is_not_begun() -> None:
    service = _Service()
    service.serves(ENOUGH, 0.1)
    assert isinstance(service.asks(0.15), Permit)
    answer = service.asks(0.05)
    assert isinstance(answer, Refusal)
    assert (answer.brake, answer.retriable) == (Brake.DEADLINE, False)
    assert answer.reason == "50 ms are left of at least 98 ms that it takes"
    assert service.guard.stats.local.service_time == pytest.approx(0.1, rel=0.03)


def test_the_deadline_of_the_request_being_served_is_inherited() -> None:
    service = _Service()
    with use_context(CallContext(deadline=service.clock() - 1.0)), pytest.raises(Rejected, match="0 ms are left"):
        service.guard("read")
    with use_context(CallContext(deadline=service.clock() + 2.0)):
        assert service.guard("read").timeout == pytest.approx(2.0)


def test_a_service_that_has_become_quick_again_is_found_out() -> None:
    """All calls are refused by what was once learnt; that must not last."""
    service = _Service()
    service.serves(ENOUGH, 0.2)
    assert isinstance(service.asks(0.1), Refusal)
    service.clock.advance(21.0)
    assert isinstance(service.asks(0.1), Permit)


def test_a_permit_gives_the_least_of_the_decided_the_usual_and_the_remaining_time() -> None:
    service = _Service()
    assert service.guard("read").timeout is None
    service.serves(ENOUGH, 0.1)
    assert service.guard("read").timeout == pytest.approx(0.15, rel=0.03)
    assert service.guard("read", deadline=service.clock() + 0.12).timeout == pytest.approx(0.12)
    service.view.apply(decision("orders", DecisionKind.RETRY, timeout=0.08))
    assert service.guard("read").timeout == pytest.approx(0.08)


def test_the_usual_time_is_not_learnt_anew_in_an_incident() -> None:
    service = _Service()
    service.serves(ENOUGH, 0.1)
    service.view.apply(decision("orders", DecisionKind.RETRY, retry_budget=0.05, ttl=1000.0))
    service.serves(ENOUGH * 10, 1.0)
    assert service.guard.stats.local.timeout == pytest.approx(0.15, rel=0.03)


def test_time_outs_lengthen_the_usual_time_and_quick_refusals_do_not_shorten_it() -> None:
    service = _Service()
    service.serves(ENOUGH, 0.1)
    for _ in range(ENOUGH):
        permit = service.guard("read")
        service.clock.advance(0.15)
        permit.dropped()
        service.guard("read").refused()
    service.clock.advance(1.1)
    assert service.guard.stats.local.timeout == pytest.approx(0.225, rel=0.03)
    assert service.guard.stats.local.service_time == pytest.approx(0.1, rel=0.03)


def test_without_local_brakes_deadlines_are_not_looked_at() -> None:
    service = _Service(LocalBrakes.off())
    service.serves(ENOUGH, 0.1)
    assert isinstance(service.asks(0.01), Permit)
    assert service.guard.stats.local.service_time is None
    permit = service.guard("read", deadline=service.clock() - 1.0)
    assert permit.timeout == 0.0
