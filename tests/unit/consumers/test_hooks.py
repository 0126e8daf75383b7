"""Hooks of the host that fail, or do what they should not, leave calls as they are."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from snowshed.consumers import Guard, GuardEvent, Outcome, Permit, Refusal
from snowshed.consumers.around import Backoff, hedging, retrying
from snowshed.consumers.testing import FakeClock, decision, in_memory_view, set_decisions
from snowshed.schemas.errors import Rejected
from snowshed.schemas.records import DecisionKind, DecisionMode

_REFUSING = decision("orders", DecisionKind.BREAKER, p_reject=1.0, ttl=1e9)
_SHADOW = decision("orders", DecisionKind.BREAKER, p_reject=1.0, mode=DecisionMode.SHADOW, ttl=1e9)


def _fail(_event: object) -> None:
    raise ValueError("the host's own mistake")


def test_a_failing_hook_hides_no_refusal() -> None:
    guard = Guard("orders", view=in_memory_view(_REFUSING), on_event=_fail)
    with capture_logs() as lines:
        with pytest.raises(Rejected, match="the breaker refuses"):
            guard("read")
        assert isinstance(guard.try_admit("read"), Refusal)
        refusal = guard.try_admit("read")
        assert isinstance(refusal, Refusal)
        assert guard.count_refusal(refusal).reason == refusal.reason
    assert [(line["event"], line["hook"], line["scope"], line["reason"]) for line in lines] == [
        ("hook_failed", "on_event", "orders", "the host's own mistake")
    ]


def test_a_failing_hook_is_logged_once_a_minute() -> None:
    clock = FakeClock()
    guard = Guard("orders", view=in_memory_view(_REFUSING, clock=clock), clock=clock, on_event=_fail)
    with capture_logs() as lines:
        for _ in range(130):
            guard.try_admit("read")
            clock.advance(1.0)
    assert [line["failures"] for line in lines] == [1, 61, 121]


def test_a_call_that_a_shadow_would_refuse_is_made_and_ended_whatever_its_hook_does() -> None:
    guard = Guard("orders", view=in_memory_view(_SHADOW), on_event=_fail)
    with guard("read"):
        assert guard.stats.in_flight == 1
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1}

    def stop(_event: GuardEvent) -> None:
        raise KeyboardInterrupt

    stopped = Guard("orders", view=in_memory_view(_SHADOW), on_event=stop)
    with pytest.raises(KeyboardInterrupt):
        stopped("read")
    assert stopped.stats.in_flight == 0


def test_a_hook_may_make_a_guarded_call_itself() -> None:
    """It was told of the refusal of its own call, made another, and so on."""
    told: list[GuardEvent] = []

    def tell(event: GuardEvent) -> None:
        told.append(event)
        answer = guard.try_admit("tell")
        assert not isinstance(answer, Permit)

    guard = Guard("orders", view=in_memory_view(_REFUSING), on_event=tell)
    guard.try_admit("read")
    guard.try_admit("read")
    assert [event.operation for event in told] == ["read", "read"]
    assert sum(guard.stats.rejected.values()) == 4


def test_a_failing_hook_of_a_retry_leaves_the_answer() -> None:
    guard = Guard("orders")
    tries: list[int] = []

    @retrying(guard, on_retry=_fail, backoff=Backoff(0.0))
    def flaky() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise TimeoutError
        return "answer"

    with capture_logs() as lines:
        assert flaky() == "answer"
    assert [line["hook"] for line in lines] == ["on_retry"]


async def test_a_failing_hook_of_a_hedge_leaves_the_answer() -> None:
    guard = Guard("orders")
    calls = 0

    @hedging(guard, on_hedge=_fail)
    async def read() -> int:
        nonlocal calls
        calls += 1
        if calls == 21:
            await asyncio.Event().wait()
        return calls

    with capture_logs() as lines:
        for _ in range(20):
            await read()
        assert await read() == 22
    assert [line["hook"] for line in lines] == ["on_hedge"]
    assert guard.stats.in_flight == 0


def test_a_refused_retry_is_refused_whatever_its_hook_does() -> None:
    guard = Guard("orders", on_event=_fail)
    with set_decisions(guard, decision("orders", DecisionKind.RETRY, attempt_cap=1)), capture_logs():
        assert not guard.retry_allowed()
