"""A second attempt for a call that is late."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from snowshed.consumers import Guard, Outcome
from snowshed.consumers.around import HedgeEvent, hedging
from snowshed.consumers.around.latencies import Latencies
from snowshed.consumers.testing import decision, set_decisions
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import CallContext, call_context, use_context
from snowshed.schemas.records import DecisionKind

LATE = 0.01
"""Seconds until the second attempt in these tests."""


class _Callee:
    """Answers at once until told otherwise; the first attempt and the second may be told apart."""

    def __init__(self, guard: Guard | None = None) -> None:
        self.guard = guard or Guard("catalogue")
        self.events: list[HedgeEvent] = []
        self.attempts: list[int] = []
        self.cancelled: list[int] = []
        self.behaviour: dict[int, Callable[[], Awaitable[None]]] = {}
        self.read = hedging(self.guard, shortest=LATE, longest=LATE, on_hedge=self.events.append)(self.answer)

    async def answer(self) -> int:
        number = call_context().attempt
        self.attempts.append(number)
        try:
            await self.behaviour.get(number, _at_once)()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        return number

    async def learn(self) -> None:
        """Twenty calls, after which the usual latency is known."""
        for _ in range(20):
            await self.read()
        self.attempts.clear()


async def _at_once() -> None:
    """Answers."""


async def _never() -> None:
    await asyncio.Event().wait()


def _fails(error: Exception, after: float = 0.0) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        await asyncio.sleep(after)
        raise error

    return fail


async def test_a_late_call_is_answered_by_the_second_attempt() -> None:
    callee = _Callee()
    await callee.learn()
    callee.behaviour[0] = _never
    assert await callee.read() == 1
    await asyncio.sleep(0)
    assert callee.attempts == [0, 1]
    assert callee.cancelled == [0]
    assert [(event.scope, event.delay) for event in callee.events] == [("catalogue", LATE)]


async def test_the_loser_says_nothing_about_the_callee() -> None:
    callee = _Callee()
    await callee.learn()
    callee.behaviour[0] = _never
    await callee.read()
    assert callee.guard.stats.outcomes == {Outcome.SUCCEEDED: 21, Outcome.IGNORED: 1}
    assert callee.guard.stats.in_flight == 0


async def test_the_first_attempt_may_still_win() -> None:
    callee = _Callee()
    await callee.learn()
    callee.behaviour[0] = lambda: asyncio.sleep(3 * LATE)
    callee.behaviour[1] = _never
    assert await callee.read() == 0
    await asyncio.sleep(0)
    assert callee.cancelled == [1]
    assert callee.guard.stats.outcomes == {Outcome.SUCCEEDED: 21, Outcome.IGNORED: 1}


async def test_a_call_in_time_is_made_once() -> None:
    callee = _Callee()
    await callee.learn()
    assert await callee.read() == 0
    assert callee.attempts == [0]


async def test_nothing_is_hedged_before_the_usual_latency_is_known() -> None:
    callee = _Callee()
    callee.behaviour[0] = lambda: asyncio.sleep(3 * LATE)
    assert await callee.read() == 0
    assert callee.attempts == [0]


async def test_a_spent_budget_leaves_the_first_attempt_alone() -> None:
    callee = _Callee()
    await callee.learn()
    while callee.guard.retry_allowed():
        pass
    callee.behaviour[0] = lambda: asyncio.sleep(3 * LATE)
    assert await callee.read() == 0
    assert callee.attempts == [0]


async def test_hedges_are_charged_to_the_retry_budget() -> None:
    callee = _Callee()
    await callee.learn()
    callee.behaviour[0] = lambda: asyncio.sleep(20 * LATE)  # longer than a starved loop stands still
    answers = await asyncio.gather(*(callee.read() for _ in range(50)))
    assert 1 <= sum(answers) == len(callee.events) <= 10


async def test_from_degrade_level_1_on_nothing_is_hedged() -> None:
    callee = _Callee()
    await callee.learn()
    callee.behaviour[0] = lambda: asyncio.sleep(3 * LATE)
    with set_decisions(callee.guard, decision("catalogue", DecisionKind.DEGRADE, degrade_level=1)):
        assert await callee.read() == 0
    assert callee.attempts == [0]


async def test_nothing_is_hedged_past_the_deadline() -> None:
    callee = _Callee()
    await callee.learn()
    callee.behaviour[0] = lambda: asyncio.sleep(3 * LATE)
    with use_context(CallContext(deadline=asyncio.get_running_loop().time() + LATE / 2)):
        assert await callee.read() == 0
    assert callee.attempts == [0]
    assert callee.guard.stats.rejected == {}


async def test_a_failed_call_is_no_late_call() -> None:
    callee = _Callee()
    await callee.learn()
    callee.behaviour[0] = _fails(ConnectionError("first"))
    with pytest.raises(ConnectionError, match="first"):
        await callee.read()
    assert callee.attempts == [0]
    assert callee.guard.stats.outcomes[Outcome.IGNORED] == 1


async def test_the_second_attempt_is_waited_for_when_the_first_fails() -> None:
    callee = _Callee()
    await callee.learn()
    callee.behaviour[0] = _fails(ConnectionError(), after=2 * LATE)
    callee.behaviour[1] = lambda: asyncio.sleep(3 * LATE)
    assert await callee.read() == 1


async def test_when_both_fail_the_first_error_counts() -> None:
    callee = _Callee()
    await callee.learn()
    callee.behaviour = {0: _fails(ConnectionError("first"), after=3 * LATE), 1: _fails(ConnectionError("second"))}
    with pytest.raises(ConnectionError, match="first"):
        await callee.read()
    gc.collect()  # an error that nobody looked at would be reported here


async def test_a_cancelled_call_cancels_both_and_is_dropped() -> None:
    callee = _Callee()
    await callee.learn()
    callee.behaviour = {0: _never, 1: _never}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3 * LATE):
            await callee.read()
    await asyncio.sleep(0)
    assert sorted(callee.cancelled) == [0, 1]
    assert callee.guard.stats.outcomes == {Outcome.SUCCEEDED: 20, Outcome.DROPPED: 2}


async def test_an_attempt_that_is_given_up_before_it_begins_is_not_in_flight_for_ever() -> None:
    callee = _Callee()

    def stumble(_event: HedgeEvent) -> None:
        raise asyncio.CancelledError

    read = hedging(callee.guard, shortest=LATE, longest=LATE, on_hedge=stumble)(callee.answer)
    for _ in range(20):
        await read()
    callee.behaviour[0] = _never
    with pytest.raises(asyncio.CancelledError):
        await read()
    assert callee.guard.stats.in_flight == 0


async def test_a_refused_call_is_refused() -> None:
    callee = _Callee()
    closed = decision("catalogue", DecisionKind.BREAKER, p_reject=1.0)
    with set_decisions(callee.guard, closed), pytest.raises(Rejected):
        await callee.read()
    assert callee.attempts == []


def test_the_delay_is_a_quantile_of_what_was_seen_lately() -> None:
    latencies = Latencies(0.95)
    for latency in range(19):
        latencies.add(float(latency))
    assert latencies.value is None
    latencies.add(19.0)
    assert latencies.value == pytest.approx(18.0)
    for _ in range(200):
        latencies.add(7.0)
    assert latencies.value == pytest.approx(7.0)
