"""The wait queue: its order alone, then with threads and with asyncio."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers import Brake, Guard, LocalBrakes, Outcome, WaitQueue, WaitQueueOptions
from snowshed.consumers.brakes import ConcurrencyLimitOptions, QueueDelayOptions, Waiting, WaitLine
from snowshed.consumers.testing import FakeClock, decision, set_decisions
from snowshed.schemas.errors import ConfigurationError, Rejected
from snowshed.schemas.propagation import CallContext, Criticality, use_context
from snowshed.schemas.records import DecisionKind


def _line(*untils: float, levels: Sequence[int] = (), capacity: int = 100, long_above: int = 10) -> WaitLine[int]:
    line: WaitLine[int] = WaitLine(capacity, long_above)
    for number, until in enumerate(untils):
        line.join(Waiting(number, 0.0, until, levels[number] if levels else 0))
    return line


def _calls(line: WaitLine[int], now: float, needed: float) -> tuple[list[int], list[int]]:
    served: list[int] = []
    dropped: list[int] = []
    while line:
        called, too_late = line.call(now, needed)
        dropped += [waiting.who for waiting in too_late]
        if called is not None:
            served.append(called.who)
    return served, dropped


def test_a_short_line_is_served_in_order_and_a_long_one_from_its_end() -> None:
    assert _calls(_line(*[9.0] * 10), 1.0, 0.0) == (list(range(10)), [])
    assert _calls(_line(*[9.0] * 12), 1.0, 0.0) == ([11, 10, *range(10)], [])


def test_a_long_line_serves_the_highest_priority_first_and_of_that_the_last_come() -> None:
    line = _line(*[9.0] * 6, levels=[300, 20, 300, 20, 511, 21], long_above=1)
    assert _calls(line, 1.0, 0.0) == ([3, 1, 5, 2, 0, 4], [])
    assert _calls(_line(*[9.0] * 3, levels=[300, 20, 511], long_above=3), 1.0, 0.0) == ([0, 1, 2], [])


def test_who_cannot_be_in_time_is_dropped_when_called() -> None:
    assert _calls(_line(1.4, 2.0, 1.5, 3.0), 1.0, 0.5) == ([1, 3], [0, 2])
    assert _calls(_line(1.0), 1.0, 0.0) == ([], [0])


def test_a_full_line_takes_only_who_is_more_urgent_than_somebody_and_nobody_leaves_twice() -> None:
    line = _line(9.0, 9.0, levels=[200, 200], capacity=3)
    mine, urgent = Waiting(7, 0.0, 9.0, 100), Waiting(9, 0.0, 9.0, 150)
    assert line.join(mine) is None
    late = Waiting(8, 0.0, 9.0, 200)
    assert line.join(late) is late
    displaced = line.join(urgent)
    assert displaced is not None
    assert displaced.who == 0  # the longest waiting of the lowest priority
    assert not line.leave(displaced)
    assert line.leave(mine)
    assert not line.leave(mine)
    assert _calls(line, 1.0, 0.0) == ([1, 9], [])


def test_a_line_without_places_takes_nobody() -> None:
    line: WaitLine[int] = WaitLine(0, 10)
    mine = Waiting(1, 0.0, 9.0, 0)
    assert line.join(mine) is mine


_ONE = st.tuples(st.floats(0, 10), st.integers(0, 5))


@given(waiting=st.lists(_ONE, max_size=40), now=st.floats(0, 10), needed=st.floats(0, 3), long_above=st.integers(0, 20))
def test_everybody_is_called_once_and_served_only_in_time(
    waiting: list[tuple[float, int]], now: float, needed: float, long_above: int
) -> None:
    untils, levels = [until for until, _ in waiting], [level for _, level in waiting]
    served, dropped = _calls(_line(*untils, levels=levels, long_above=long_above), now, needed)
    assert sorted(served + dropped) == list(range(len(untils)))
    assert all(untils[who] - now > needed for who in served)
    assert all(untils[who] - now <= needed for who in dropped)
    # While the line is long, nobody is served before somebody more urgent.
    early = [levels[who] for who in served[: max(0, len(served) - long_above)]]
    assert early == sorted(early)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


async def _async_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10.0):
        while not condition():  # noqa: ASYNC110 - a queue tells nobody how long it is
            await asyncio.sleep(0)


def test_threads_wait_for_their_turn_and_the_guard_hears_how_long() -> None:
    guard = Guard("orders", local=LocalBrakes(queue=QueueDelayOptions(window=0.2)))
    queue = WaitQueue(guard, concurrency=2)
    most: list[int] = []

    def work() -> None:
        with queue.enter("read"):
            most.append(queue.serving)
            # Nobody leaves before another waits, but for the last two: however slowly threads start, some wait.
            _until(lambda: queue.waiting > 0 or len(most) >= 15)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 2
    assert (queue.serving, queue.waiting) == (0, 0)
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 16}
    _until(lambda: (guard.stats.local.queue_delay or 0.0) > 0.0)


def test_a_thread_whose_time_is_up_is_dropped() -> None:
    guard = Guard("orders")
    queue = WaitQueue(guard, concurrency=1, options=WaitQueueOptions(longest_wait=0.02))
    with queue.enter("read"), pytest.raises(Rejected, match="not served in time") as caught, queue.enter("read"):
        pass
    assert not caught.value.retriable
    assert guard.stats.rejected == {Brake.DEADLINE: 1}
    assert (queue.serving, queue.waiting) == (0, 0)


async def test_tasks_wait_for_their_turn() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=3)
    most: list[int] = []

    async def work() -> None:
        async with queue.enter("read"):
            most.append(queue.serving)
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(50)))
    assert max(most) == 3
    assert queue.guard.stats.outcomes == {Outcome.SUCCEEDED: 50}
    assert (queue.serving, queue.waiting) == (0, 0)


async def test_a_full_line_refuses_who_comes() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1, options=WaitQueueOptions(capacity=1))
    async with queue.enter("read"):
        waiter = asyncio.ensure_future(_enter(queue))
        await _async_until(lambda: queue.waiting == 1)
        with pytest.raises(Rejected, match="1 requests wait already"):
            await _enter(queue)
    await waiter
    assert queue.guard.stats.rejected == {Brake.QUEUE: 1}


async def test_who_is_more_urgent_takes_a_place_in_a_full_line() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1, options=WaitQueueOptions(capacity=1))
    async with queue.enter("read"):
        with use_context(CallContext(criticality=Criticality.SHEDDABLE)):
            waiter = asyncio.ensure_future(_enter(queue))
            await _async_until(lambda: queue.waiting == 1)
        urgent = asyncio.ensure_future(_enter(queue))
        with pytest.raises(Rejected, match="a more urgent request took its place") as caught:
            await waiter
        assert caught.value.retriable
    await urgent
    assert queue.guard.stats.rejected == {Brake.QUEUE: 1}
    assert (queue.serving, queue.waiting) == (0, 0)


@pytest.mark.parametrize(
    ("concurrency", "options", "order"),
    [
        (1, WaitQueueOptions(long_above=0), [0, 1, 2, 3]),
        (1, WaitQueueOptions(), [0, 1, 2, 3]),
        (2, WaitQueueOptions(), [0, 1, 3, 2]),
        (4, WaitQueueOptions(), [3, 2, 1, 0]),
    ],
)
async def test_a_long_line_serves_classes_in_their_order(
    concurrency: int, options: WaitQueueOptions, order: list[int]
) -> None:
    """By default a line is long where more wait than are served at a time."""
    queue = WaitQueue(Guard("orders"), concurrency=concurrency, options=options)
    served: list[Criticality] = []

    async def work(criticality: Criticality) -> None:
        with use_context(CallContext(criticality=criticality)):
            async with queue.enter("read"):
                served.append(criticality)

    async with AsyncExitStack() as places:
        for _ in range(concurrency):
            await places.enter_async_context(queue.enter("read"))
        waiters = [asyncio.ensure_future(work(one)) for one in reversed(Criticality)]
        await _async_until(lambda: queue.waiting == len(waiters))
    await asyncio.gather(*waiters)
    assert served == order


async def _enter(queue: WaitQueue) -> float | None:
    async with queue.enter("read") as permit:
        return permit.timeout


async def test_a_deadline_bounds_the_wait_and_the_rest_of_it_the_call() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1)
    with use_context(CallContext(deadline=time.monotonic() + 0.02)):
        assert 0 < (await _enter(queue) or 0) <= 0.02
        async with queue.enter("read"):
            with pytest.raises(Rejected, match="not served in time"):
                await _enter(queue)


async def test_a_cancelled_task_leaves_the_line_or_hands_its_place_on() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1)
    async with queue.enter("read"):
        waiters = [asyncio.ensure_future(_enter(queue)) for _ in range(3)]
        await _async_until(lambda: queue.waiting == 3)
        waiters[0].cancel()
        await _async_until(lambda: queue.waiting == 2)
    waiters[1].cancel()  # its turn has come, but it does not know it yet
    await asyncio.wait(waiters)
    assert [waiter.cancelled() for waiter in waiters] == [True, True, False]
    await _async_until(lambda: queue.serving == 0)


async def test_a_refusal_after_the_wait_gives_the_place_to_the_next() -> None:
    guard = Guard("orders")
    queue = WaitQueue(guard, concurrency=1)
    with set_decisions(guard) as view:
        async with queue.enter("read"):
            waiters = [asyncio.ensure_future(_enter(queue)) for _ in range(3)]
            await _async_until(lambda: queue.waiting == 3)
            view.apply(decision("orders", DecisionKind.BREAKER, p_reject=1.0))
        ends = await asyncio.gather(*waiters, return_exceptions=True)
    assert [type(end) for end in ends] == [Rejected] * 3
    assert guard.stats.rejected == {Brake.BREAKER: 3}
    assert (queue.serving, queue.waiting) == (0, 0)


async def test_a_failing_block_gives_its_place_back() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1)
    with pytest.raises(TimeoutError):
        async with queue.enter("read"):
            raise TimeoutError
    assert queue.serving == 0
    assert queue.guard.stats.outcomes == {Outcome.DROPPED: 1}


async def test_threads_and_tasks_share_one_queue() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1)
    order: list[str] = []

    def work() -> None:
        with queue.enter("read"):
            order.append("thread")

    async with queue.enter("read"):
        thread = threading.Thread(target=work)
        thread.start()
        await _async_until(lambda: queue.waiting == 1)
        task = asyncio.ensure_future(_enter(queue))
        await _async_until(lambda: queue.waiting == 2)
        order.append("block")
    await task
    await asyncio.to_thread(thread.join)
    assert order == ["block", "thread"]


def test_the_guard_s_limit_bounds_the_places() -> None:
    guard = Guard("orders", local=LocalBrakes(limit=ConcurrencyLimitOptions(start=1)))
    queue = WaitQueue(guard, concurrency=5)
    done = threading.Event()

    def work() -> None:
        with queue.enter("read"):
            done.set()

    with queue.enter("read"):
        thread = threading.Thread(target=work)
        thread.start()
        _until(lambda: queue.waiting == 1)
        assert not done.is_set()
    thread.join()
    assert done.is_set()


def test_a_queue_without_a_bound_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="the wait queue of orders has no bound"):
        WaitQueue(Guard("orders"))
    WaitQueue(Guard("orders", local=LocalBrakes.for_services()))


def test_a_shed_priority_does_not_wait() -> None:
    clock = FakeClock()
    guard = Guard("orders", clock=clock)
    for _ in range(100):
        guard("read", cohort=127, queued_for=1.0).succeeded()
    clock.advance(1.0)
    assert guard.stats.local.cursor == 255
    queue = WaitQueue(guard, concurrency=1, clock=clock)
    low = CallContext(criticality=Criticality.SHEDDABLE)
    with use_context(low), pytest.raises(Rejected, match="priorities up to"), queue.enter("read"):
        pass


def test_a_turn_is_entered_once_at_a_time() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=2)
    turn = queue.enter("read")
    with turn, pytest.raises(RuntimeError, match="entered already"), turn:
        pass
    assert queue.serving == 0
    with turn:
        assert queue.serving == 1


@pytest.mark.parametrize("wrong", [{"capacity": -1}, {"longest_wait": nan}, {"long_above": -1}])
def test_options_that_make_no_queue_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="WaitQueueOptions"):
        WaitQueueOptions(**wrong)


async def test_a_wait_may_be_as_long_as_it_likes() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1, options=WaitQueueOptions(longest_wait=inf))

    def work() -> None:
        with queue.enter("read"):
            pass

    async with queue.enter("read"):
        waiters = [asyncio.to_thread(work), _enter(queue)]
        waiting = asyncio.gather(*waiters)
        await _async_until(lambda: queue.waiting == 2)
    await waiting
    assert queue.serving == 0


def test_a_guard_that_fails_takes_no_place() -> None:
    clock = FakeClock()
    guard = Guard("orders", clock=clock)
    queue = WaitQueue(guard, concurrency=1, clock=clock)
    with queue.enter("read"):
        pass

    def fail(*_: object, **__: object) -> Any:
        raise ValueError("no view")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Guard, "__call__", fail)
        with pytest.raises(ValueError, match="no view"), queue.enter("read"):
            pass
    assert queue.serving == 0
