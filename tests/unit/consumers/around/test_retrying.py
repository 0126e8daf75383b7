"""Retries within the budget, the attempt cap and the time left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from math import isfinite
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers import Guard, Outcome
from snowshed.consumers.around import Backoff, RetryEvent, retrying
from snowshed.consumers.testing import FakeClock, decision, set_decisions
from snowshed.schemas.errors import ConfigurationError, Rejected
from snowshed.schemas.propagation import ATTEMPT, CallContext, attempt, call_context, emit, use_context
from snowshed.schemas.records import DecisionKind

AT_ONCE = Backoff(first=0.0)


class _Callee:
    """Fails so many times, then answers; remembers what travelled with each call."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.attempts: list[str] = []

    def __call__(self) -> str:
        self.attempts.append(emit(call_context(), caller="shop", now=0.0)[ATTEMPT])
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def _plain(guard: Guard, callee: Callable[[], str], events: list[RetryEvent], attempts: int) -> str:
    @retrying(guard, attempts=attempts, backoff=AT_ONCE, on_retry=events.append)
    @guard.protect
    def call() -> str:
        return callee()

    return call()


def _asynchronous(guard: Guard, callee: Callable[[], str], events: list[RetryEvent], attempts: int) -> str:
    @retrying(guard, attempts=attempts, backoff=AT_ONCE, on_retry=events.append)
    @guard.protect
    async def call() -> str:
        await asyncio.sleep(0)
        return callee()

    return asyncio.run(call())


both = pytest.mark.parametrize("run", [_plain, _asynchronous])
Run = Callable[[Guard, Callable[[], str], list[RetryEvent], int], str]


@both
def test_a_failed_call_is_tried_again_and_its_number_travels(run: Run) -> None:
    callee, guard = _Callee(TimeoutError(), ConnectionResetError()), Guard("payments")
    events: list[RetryEvent] = []
    assert run(guard, callee, events, 3) == "answer"
    assert callee.attempts == ["0", "1", "2"]
    assert [(event.scope, event.retry, type(event.error)) for event in events] == [
        ("payments", 1, TimeoutError),
        ("payments", 2, ConnectionResetError),
    ]
    assert "call" in events[0].operation
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1, Outcome.DROPPED: 1, Outcome.IGNORED: 1}


@both
def test_the_last_error_is_raised_as_it_came(run: Run) -> None:
    last = TimeoutError("the last")
    callee = _Callee(TimeoutError(), last)
    with pytest.raises(TimeoutError) as caught:
        run(Guard("payments"), callee, [], 2)
    assert caught.value is last
    assert callee.attempts == ["0", "1"]


@both
def test_only_what_was_named_is_tried_again(run: Run) -> None:
    callee = _Callee(ValueError())
    with pytest.raises(ValueError):  # noqa: PT011 the callee's own, without a text
        run(Guard("payments"), callee, [], 3)
    assert callee.attempts == ["0"]


@both
def test_a_spent_budget_ends_retries(run: Run) -> None:
    guard = Guard("payments")
    while guard.retry_allowed():
        pass
    callee = _Callee(TimeoutError())
    with pytest.raises(TimeoutError):
        run(guard, callee, [], 3)
    assert callee.attempts == ["0"]


@pytest.mark.parametrize("fields", [{"retry_budget": 0.0}, {"attempt_cap": 1}, {"degrade_level": 3}])
@both
def test_a_decision_ends_retries(run: Run, fields: dict[str, Any]) -> None:
    guard, callee = Guard("payments"), _Callee(TimeoutError())
    with set_decisions(guard, decision("payments", DecisionKind.RETRY, **fields)), pytest.raises(TimeoutError):
        run(guard, callee, [], 3)
    assert callee.attempts == ["0"]


@both
def test_the_attempts_of_callers_above_count_towards_the_cap(run: Run) -> None:
    """Nor is a token spent on a retry that admission would refuse."""
    guard, callee = Guard("payments"), _Callee(TimeoutError(), TimeoutError(), TimeoutError())
    capped = decision("payments", DecisionKind.RETRY, attempt_cap=3)
    with set_decisions(guard, capped), attempt(1), pytest.raises(TimeoutError):
        run(guard, callee, [], 9)
    assert callee.attempts == ["1", "2"]


def test_a_thousand_failures_at_once_retry_within_the_budget() -> None:
    """A budget that counts only running retries lets all of them be scheduled while none runs yet."""
    guard = Guard("payments")
    calls = 0

    @retrying(guard, backoff=Backoff(first=0.02))
    @guard.protect
    async def call() -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.01)
        raise TimeoutError

    async def crowd() -> None:
        await asyncio.gather(*(call() for _ in range(1000)), return_exceptions=True)

    asyncio.run(crowd())
    retries = calls - 1000
    assert 1 <= retries <= 120


def test_no_retry_is_made_past_the_deadline() -> None:
    clock = FakeClock()
    guard = Guard("payments", clock=clock)
    waits: list[float] = []
    steady = retrying(
        guard,
        attempts=9,
        backoff=Backoff(first=0.01, longest=0.01),
        on_retry=lambda event: waits.append(event.wait),
        clock=clock,
        rng=lambda: 0.5,
    )
    calls = 0

    @steady
    def call() -> None:
        nonlocal calls
        calls += 1
        clock.advance(1.0)
        raise TimeoutError

    with use_context(CallContext(deadline=clock.now + 2.005)), pytest.raises(TimeoutError):
        call()
    assert calls == 2
    assert waits == [0.0075]


def _refused_once(error: Rejected, seen: list[float]) -> None:
    refused = [error]

    @retrying(Guard("payments"), on=Rejected, backoff=AT_ONCE, on_retry=lambda event: seen.append(event.wait))
    def call() -> None:
        if refused:
            raise refused.pop()

    call()


def test_a_refusal_is_waited_out() -> None:
    waits: list[float] = []
    started = time.monotonic()
    _refused_once(Rejected("ledger", "rate", retry_after=0.02), waits)
    assert waits == [0.02]
    assert time.monotonic() - started >= 0.02


def test_a_refusal_for_good_is_not_tried_again() -> None:
    waits: list[float] = []
    with pytest.raises(Rejected):
        _refused_once(Rejected("ledger", "attempts", retry_after=0.0, retriable=False), waits)
    assert waits == []


def test_a_guard_says_which_of_its_refusals_are_for_good() -> None:
    guard = Guard("payments")
    with set_decisions(guard, decision("payments", DecisionKind.BREAKER, p_reject=1.0)):
        with pytest.raises(Rejected) as tripped:
            guard("charge")
        assert tripped.value.retriable
    with set_decisions(guard, decision("payments", DecisionKind.RETRY, retry_budget=0.0)):
        with pytest.raises(Rejected) as spent:
            guard("charge", attempt=1)
        assert not spent.value.retriable


def test_a_cancelled_wait_ends_the_call() -> None:
    calls = 0

    @retrying(Guard("payments"), backoff=Backoff(first=60.0, longest=60.0))
    async def call() -> None:
        nonlocal calls
        calls += 1
        raise TimeoutError

    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await call()

    asyncio.run(run())
    assert calls == 1


def test_no_attempt_at_all_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="attempts is 0"):
        retrying(Guard("payments"), attempts=0)


def test_a_function_with_retries_keeps_its_name() -> None:
    @retrying(Guard("payments"))
    def charge() -> None:
        """Charges."""

    assert charge.__name__ == "charge"
    assert charge.__doc__ == "Charges."


@given(st.integers(1, 100_000), st.floats(0.0, 1.0, exclude_max=True))
def test_a_wait_is_finite_and_at_least_half_of_what_it_may_be(retry: int, draw: float) -> None:
    wait = Backoff(first=0.1, longest=5.0).wait(retry, draw)
    most = 5.0 if retry > 6 else min(5.0, 0.1 * 2 ** (retry - 1))
    assert isfinite(wait)
    assert most / 2 <= wait <= most


def test_waits_double_up_to_the_longest() -> None:
    wait = partial(Backoff(first=0.1, longest=0.5).wait, draw=0.0)
    assert [wait(retry) for retry in range(1, 6)] == pytest.approx([0.05, 0.1, 0.2, 0.25, 0.25])
