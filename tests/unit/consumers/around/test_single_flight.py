"""One call a key at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from math import inf

import pytest

from snowshed.consumers.around import AsyncSingleFlight, SingleFlight
from snowshed.consumers.around.urgency import goes_again
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import CallContext, Criticality, call_context, use_context

PATIENCE = 10.0
REFUSED = Rejected("catalogue", "degraded", retry_after=1.0)


class _Loader:
    """A call that lasts until it is told to end."""

    def __init__(self, end: Callable[[], int] = lambda: 42) -> None:
        self.calls = 0
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self._end = end

    def __call__(self) -> int:
        self.calls += 1
        self.begun.set()
        assert self.may_end.wait(PATIENCE)
        return self._end()


def _fail(error: BaseException) -> int:
    raise error


def _until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.001)


@contextmanager
def _crowd(
    flights: SingleFlight[str, int], loader: _Loader, waiters: int, *, leader: CallContext | None = None
) -> Generator[tuple[Future[int], list[Future[int]]]]:
    """A leader in its call and so many waiters behind it, let go at the end of the block."""

    def call(context: CallContext) -> int:
        with use_context(context):
            return flights.call("key", loader)

    with ThreadPoolExecutor(waiters + 1) as pool:
        first = pool.submit(call, leader or CallContext())
        assert loader.begun.wait(PATIENCE)
        others = [pool.submit(call, CallContext()) for _ in range(waiters)]
        _until(lambda: flights.waiting("key") == waiters)
        try:
            yield first, others
        finally:
            loader.may_end.set()


def test_threads_share_one_call_and_its_answer() -> None:
    flights, loader = SingleFlight[str, int]("catalogue"), _Loader()
    with _crowd(flights, loader, 15) as (first, others):
        pass
    assert [one.result() for one in (first, *others)] == [42] * 16
    assert loader.calls == 1
    assert flights.call("key", lambda: 7) == 7


def test_threads_share_one_error() -> None:
    error = ValueError("no such item")
    flights, loader = SingleFlight[str, int]("catalogue"), _Loader(lambda: _fail(error))
    with _crowd(flights, loader, 3) as (first, others):
        pass
    assert [one.exception() for one in (first, *others)] == [error] * 4


def test_other_keys_do_not_wait() -> None:
    flights, loader = SingleFlight[str, int]("catalogue"), _Loader()
    with _crowd(flights, loader, 1):
        assert flights.call("other", lambda: 7) == 7


def test_a_thread_that_has_waited_enough_leaves_the_call_to_the_others() -> None:
    flights, loader = SingleFlight[str, int]("catalogue"), _Loader()
    with _crowd(flights, loader, 1) as (first, others), pytest.raises(TimeoutError, match="call to catalogue"):
        flights.call("key", loader, timeout=0.01)
    assert [first.result(), others[0].result()] == [42, 42]
    assert loader.calls == 1


def test_one_thread_too_many_is_refused() -> None:
    flights, loader = SingleFlight[str, int]("catalogue", waiters=2), _Loader()
    with _crowd(flights, loader, 2), pytest.raises(Rejected, match="2 calls wait"):
        flights.call("key", loader)
    assert loader.calls == 1


def test_when_the_calling_thread_is_stopped_another_calls() -> None:
    stopped = [SystemExit()]
    flights, loader = SingleFlight[str, int]("catalogue"), _Loader(lambda: _fail(stopped.pop()) if stopped else 42)
    with _crowd(flights, loader, 3) as (first, others):
        pass
    assert [one.result() for one in others] == [42] * 3
    assert isinstance(first.exception(), SystemExit)
    assert 2 <= loader.calls <= 4


def test_a_more_urgent_thread_does_not_share_a_refusal() -> None:
    refusals = [REFUSED]
    flights, loader = SingleFlight[str, int]("catalogue"), _Loader(lambda: _fail(refusals.pop()) if refusals else 42)
    with _crowd(flights, loader, 3, leader=CallContext(criticality=Criticality.SHEDDABLE)) as (first, others):
        pass
    assert first.exception() is REFUSED
    assert [one.result() for one in others] == [42] * 3
    assert 2 <= loader.calls <= 4


def test_what_is_forgotten_is_asked_anew() -> None:
    flights, loader = SingleFlight[str, int]("catalogue"), _Loader()
    with _crowd(flights, loader, 0) as (first, _):
        flights.forget("key")
        assert flights.call("key", lambda: 7) == 7
    assert first.result() == 42


def test_a_forgotten_call_leaves_the_one_in_its_place_in_flight() -> None:
    flights, older, newer = SingleFlight[str, int]("catalogue"), _Loader(), _Loader()
    with ThreadPoolExecutor(1) as pool:
        with _crowd(flights, older, 0) as (first, _):
            flights.forget("key")
            second = pool.submit(flights.call, "key", newer)
            assert newer.begun.wait(PATIENCE)
        assert first.result() == 42
        with pytest.raises(TimeoutError):
            flights.call("key", lambda: 7, timeout=0.001)
        newer.may_end.set()
        assert second.result() == 42


def test_sixteen_threads_never_call_a_key_twice_at_once() -> None:
    flights = SingleFlight[int, int]("catalogue")
    running = [0, 0, 0, 0]
    most = [0, 0, 0, 0]

    def load(key: int) -> int:
        running[key] += 1
        most[key] = max(most[key], running[key])
        time.sleep(0.0005)
        running[key] -= 1
        return key

    def hammer(index: int) -> list[int]:
        keys = [(index + step) % 4 for step in range(100)]
        return [flights.call(key, partial(load, key)) - key for key in keys]

    with ThreadPoolExecutor(16) as pool:
        assert not any(any(wrong) for wrong in pool.map(hammer, range(16)))
    assert most == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("error", "own", "leader", "again"),
    [
        (REFUSED, CallContext(), CallContext(criticality=Criticality.SHEDDABLE), True),
        (REFUSED, CallContext(), CallContext(attempt=1), True),
        (TimeoutError(), CallContext(), CallContext(deadline=5.0), True),
        (TimeoutError(), CallContext(deadline=6.0), CallContext(deadline=5.0), True),
        (TimeoutError(), CallContext(deadline=5.0), CallContext(deadline=5.0), False),
        (TimeoutError(), CallContext(deadline=inf), CallContext(), False),
        (REFUSED, CallContext(criticality=Criticality.SHEDDABLE), CallContext(), False),
        (ValueError(), CallContext(), CallContext(criticality=Criticality.SHEDDABLE), False),
    ],
)
def test_only_who_is_more_urgent_goes_again(
    error: Exception, own: CallContext, leader: CallContext, again: bool
) -> None:
    assert goes_again(error, own, leader) is again


class _AsyncLoader:
    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.cancelled = 0
        self.may_end = asyncio.Event()
        self.error = error
        self.contexts: list[CallContext] = []

    async def __call__(self) -> int:
        self.calls += 1
        self.contexts.append(call_context())
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return 42


async def _begin(flights: AsyncSingleFlight[str, int], loader: _AsyncLoader, tasks: int) -> list[asyncio.Task[int]]:
    started = [asyncio.create_task(flights.call("key", loader)) for _ in range(tasks)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert loader.calls == 1
    assert flights.waiting("key") == tasks
    return started


async def test_tasks_share_one_call_and_its_answer() -> None:
    flights, loader = AsyncSingleFlight[str, int]("catalogue"), _AsyncLoader()
    tasks = await _begin(flights, loader, 16)
    loader.may_end.set()
    assert await asyncio.gather(*tasks) == [42] * 16
    assert loader.calls == 1
    await flights.call("key", loader)
    assert loader.calls == 2


async def test_tasks_share_one_error() -> None:
    error = ValueError("no such item")
    flights, loader = AsyncSingleFlight[str, int]("catalogue"), _AsyncLoader(error)
    tasks = await _begin(flights, loader, 3)
    loader.may_end.set()
    assert await asyncio.gather(*tasks, return_exceptions=True) == [error] * 3


@pytest.mark.parametrize("leaves", [0, 1])
async def test_a_cancelled_task_leaves_the_call_to_the_others(leaves: int) -> None:
    flights, loader = AsyncSingleFlight[str, int]("catalogue"), _AsyncLoader()
    tasks = await _begin(flights, loader, 3)
    tasks.pop(leaves).cancel()
    await asyncio.sleep(0)
    loader.may_end.set()
    assert await asyncio.gather(*tasks) == [42, 42]
    assert loader.cancelled == 0


async def test_a_call_that_nobody_waits_for_is_cancelled() -> None:
    flights, loader = AsyncSingleFlight[str, int]("catalogue"), _AsyncLoader()
    for task in await _begin(flights, loader, 3):
        task.cancel()
    await asyncio.sleep(0)
    late = asyncio.create_task(flights.call("key", loader))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (loader.cancelled, loader.calls) == (1, 2)
    loader.may_end.set()
    assert await late == 42


async def test_one_task_too_many_is_refused() -> None:
    flights, loader = AsyncSingleFlight[str, int]("catalogue", waiters=2), _AsyncLoader()
    tasks = await _begin(flights, loader, 3)
    with pytest.raises(Rejected, match="2 calls wait"):
        await flights.call("key", loader)
    loader.may_end.set()
    assert await asyncio.gather(*tasks) == [42] * 3


async def test_a_more_urgent_task_does_not_share_a_time_out() -> None:
    flights, loader = AsyncSingleFlight[str, int]("catalogue"), _AsyncLoader(TimeoutError())
    with use_context(CallContext(deadline=1.0)):
        (first,) = await _begin(flights, loader, 1)
    others = [asyncio.create_task(flights.call("key", loader)) for _ in range(3)]
    await asyncio.sleep(0)
    loader.may_end.set()
    assert await asyncio.gather(*others) == [42] * 3
    with pytest.raises(TimeoutError):
        await first
    assert [context.deadline for context in loader.contexts] == [1.0, None]


async def test_a_task_that_asks_after_forgetting_does_not_get_the_old_answer() -> None:
    flights, loader = AsyncSingleFlight[str, int]("catalogue"), _AsyncLoader()
    (first,) = await _begin(flights, loader, 1)
    flights.forget("key")
    second = asyncio.create_task(flights.call("key", loader))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert loader.calls == 2
    loader.may_end.set()
    assert [await first, await second] == [42, 42]


def test_loops_of_different_threads_do_not_meet() -> None:
    flights = AsyncSingleFlight[str, int]("catalogue")
    barrier = threading.Barrier(4)

    async def load() -> int:
        barrier.wait(PATIENCE)  # ends only when every loop has its own call in flight
        return threading.get_ident()

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(lambda: asyncio.run(flights.call("key", load))) for _ in range(4)]
        answers = [one.result() for one in asked]
    assert len(set(answers)) == 4
