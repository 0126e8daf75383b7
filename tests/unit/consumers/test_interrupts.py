"""What Python may do between any two steps: dispose of forgotten calls, run signal handlers, raise interrupts."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

import pytest

from snowshed.consumers import Guard, GuardStats, LocalBrakes, Outcome, WaitQueue, WaitQueueOptions
from snowshed.consumers.brakes import (
    BulkheadOptions,
    CalleeCursorOptions,
    Circuit,
    CircuitOptions,
    CircuitState,
    ConcurrencyLimitOptions,
    LeakyBucketOptions,
    TenantsOptions,
    ThrottleOptions,
)
from snowshed.consumers.testing import FakeClock, decision, in_memory_view
from snowshed.schemas.errors import Rejected
from snowshed.schemas.records import DecisionKind, DecisionMode

_ALL = LocalBrakes(
    callee_cursor=CalleeCursorOptions(),
    circuit=CircuitOptions(),
    bulkhead=BulkheadOptions(each_operation=2),
    tenants=TenantsOptions(),
    limit=ConcurrencyLimitOptions(start=2),
    throttle=ThrottleOptions(),
    pace=LeakyBucketOptions(rate=1e9, depth=1e9),
)

_ROOMY = replace(
    _ALL,
    bulkhead=BulkheadOptions(each_operation=10_000),
    limit=ConcurrencyLimitOptions(start=10_000, largest=10_000),
)


@pytest.fixture
def _small_heap() -> Generator[None]:
    """The collector looks only at what the test makes, which is quick, and all of it each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def _in_time(work: Callable[[], object]) -> bool:
    """Whether some work ends at all; a thread that hangs is left behind."""
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(20.0)
    return not worker.is_alive()


class _Knot:
    """Something that only the garbage collector can dispose of, with a generator in the midst of a guarded call."""

    def __init__(self, call: Generator[None]) -> None:
        self.itself = self
        self.call = call
        next(call)


def _guarded(guard: Guard) -> Generator[None]:
    with guard("read", tenant="acme"):
        yield


class _Drawn:
    """A source of numbers that does something each time, in the midst of a decision."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work

    def __call__(self) -> float:
        self.work()
        return 0.9


def _half_open(draw: Callable[[], float]) -> Guard:
    """A guard that draws a number for every call."""
    view = in_memory_view(decision("orders", DecisionKind.BREAKER, p_reject=0.5, ttl=3600.0))
    return Guard("orders", view=view, rng=draw, local=_ROOMY)


@pytest.mark.usefixtures("_small_heap")
def test_a_forgotten_call_may_be_disposed_of_in_the_midst_of_another() -> None:
    """Its end waited for a lock that its own thread held: for ever."""
    guard = _half_open(_Drawn(gc.collect))

    def work() -> None:
        for _ in range(100):
            _Knot(_guarded(guard))
            guard("read").succeeded()

    assert _in_time(work)
    gc.collect()
    stats = guard.stats
    assert (stats.admitted, stats.in_flight) == (200, 0)
    assert stats.outcomes == {Outcome.SUCCEEDED: 100, Outcome.IGNORED: 100}
    assert not stats.rejected


@pytest.mark.usefixtures("_small_heap")
def test_calls_are_forgotten_at_any_allocation() -> None:
    guard = Guard("orders", local=_ROOMY)

    def work() -> None:
        before = gc.get_threshold()
        gc.set_threshold(1, 1, 1)
        try:
            for number in range(3_000):
                if not number % 3:
                    _Knot(_guarded(guard))
                guard("read", tenant="other").succeeded()
        finally:
            gc.set_threshold(*before)

    assert _in_time(work)
    gc.collect()
    assert guard.stats.in_flight == 0
    assert _counts(guard) == (0, {}, {}, 0)


def _counts(guard: Guard) -> tuple[object, ...]:
    """What the brakes hold of the calls in flight: all nothing when there are none."""
    flight = guard.controls.local._flight  # pyright: ignore[reportPrivateUsage]
    assert flight is not None
    bulkhead, tenants, limit, throttle = (
        flight._bulkhead,  # pyright: ignore[reportPrivateUsage]
        flight._tenants,  # pyright: ignore[reportPrivateUsage]
        flight._limit,  # pyright: ignore[reportPrivateUsage]
        flight._throttle,  # pyright: ignore[reportPrivateUsage]
    )
    assert bulkhead is not None
    assert tenants is not None
    assert limit is not None
    assert throttle is not None
    return (
        limit.in_flight,
        bulkhead._by_operation,  # pyright: ignore[reportPrivateUsage]
        tenants._in_flight,  # pyright: ignore[reportPrivateUsage]
        throttle.begun - throttle._ended,  # pyright: ignore[reportPrivateUsage]
    )


def test_a_permit_that_is_forgotten_is_ended() -> None:
    guard = Guard("orders", local=_ALL)
    for _ in range(10):
        guard("read")
    assert guard.stats.outcomes == {Outcome.IGNORED: 10}
    assert _counts(guard) == (0, {}, {}, 0)


def test_whatever_is_asked_in_the_midst_of_a_decision_is_answered() -> None:
    """As by a finaliser that writes to a guarded database, or a signal handler that tells the counts."""
    answers: list[object] = []

    def ask() -> None:
        with guard("write") as permit:
            answers.append(permit.timeout)
        answers.extend((guard.stats.in_flight, guard.effective.p_reject, guard.turn_away(), guard.retry_allowed()))
        guard.hear_cursor(100)

    guard = _half_open(_Drawn(ask))
    assert _in_time(lambda: guard("read", deadline=sys.float_info.max).succeeded())
    assert answers == [None, 0, 0.5, None, True]
    assert guard.stats.admitted == 1
    assert guard.stats.in_flight == 0


class _Interrupt:
    """Raises KeyboardInterrupt at the n-th place at which Python looks for signals: an entered or a finished call."""

    def __init__(self, place: int) -> None:
        self.left = place

    def __call__(self, frame: FrameType, event: str, _arg: object) -> None:
        # What is raised in something that is being disposed of is swallowed by Python, the interrupt with it; so is
        # what is raised while the collector tells others that it runs.
        if event not in {"call", "c_return"} or frame.f_code.co_name in {"__del__", "<genexpr>", "gc_callback"}:
            return
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def _interrupt_everywhere(work: Callable[[], object], check: Callable[[], None]) -> int:
    """Does some work again and again, interrupted one place further on each time; says how many places there are."""
    place = 0
    while True:
        place += 1
        interrupt = _Interrupt(place)
        try:
            sys.setprofile(interrupt)
            try:
                work()
            finally:
                sys.setprofile(None)
        except KeyboardInterrupt:
            pass
        check()
        if interrupt.left > 0:
            return place


def _shadowed() -> tuple[Guard, FakeClock]:
    clock = FakeClock()
    shadow = decision("orders", DecisionKind.BREAKER, p_reject=1.0, mode=DecisionMode.SHADOW, ttl=1e9)
    return Guard("orders", view=in_memory_view(shadow, clock=clock), clock=clock, local=_ALL), clock


def test_an_interrupt_at_any_place_of_a_call_leaves_nothing_in_flight() -> None:
    guard, clock = _shadowed()

    def work() -> None:
        with guard("read", tenant="acme", deadline=clock.now + 1.0):
            pass
        guard("write").dropped()

    def check() -> None:
        assert guard.stats.in_flight == 0
        assert _counts(guard) == (0, {}, {}, 0)
        clock.advance(1.0)

    assert _interrupt_everywhere(work, check) > 100


def test_an_interrupt_in_another_call_s_admission_does_not_make_up_ends() -> None:
    guard, clock = _shadowed()

    def work() -> None:
        guard("write").succeeded()

    def check() -> None:
        stats: GuardStats = guard.stats
        assert stats.in_flight in {0, 1}
        assert stats.admitted == stats.in_flight + sum(stats.outcomes.values())
        assert _counts(guard)[0] == stats.in_flight
        clock.advance(1.0)

    held = guard("read")
    assert _interrupt_everywhere(work, check) > 50
    held.succeeded()
    assert guard.stats.in_flight == 0


@pytest.mark.parametrize("end", ["succeeded", "ignored", "failed", "dropped", "refused"])
def test_an_end_is_counted_once_whoever_states_it_last(end: str) -> None:
    guard = Guard("orders", local=_ALL)
    permit = guard("read")
    worker = threading.Thread(target=getattr(permit, end))
    worker.start()
    worker.join()
    with permit:
        permit.dropped()
    assert sum(guard.stats.outcomes.values()) == 1
    assert _counts(guard) == (0, {}, {}, 0)


def _queued(queue: WaitQueue) -> Generator[None]:
    with queue.enter("read"):
        yield


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@contextmanager
def _occupied(queue: WaitQueue) -> Generator[None]:
    """Another thread is served inside the block."""
    begun, over = threading.Event(), threading.Event()

    def work() -> None:
        with queue.enter("other"):
            begun.set()
            over.wait(10.0)

    worker = threading.Thread(target=work)
    worker.start()
    begun.wait(10.0)
    try:
        yield
    finally:
        over.set()
        worker.join()


def _is_empty(queue: WaitQueue) -> bool:
    return (queue.serving, queue.waiting, queue.guard.stats.in_flight) == (0, 0, 0)


def test_an_interrupt_at_any_place_of_a_turn_leaves_the_queue() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1)

    def work() -> None:
        with queue.enter("read"):
            pass

    def check() -> None:
        assert _is_empty(queue)
        with queue.enter("next"):
            assert queue.serving == 1

    assert _interrupt_everywhere(work, check) > 50


def test_an_interrupt_at_any_place_of_a_wait_leaves_the_line() -> None:
    """The wait is over at once, because its time is."""
    queue = WaitQueue(Guard("orders"), concurrency=1, options=WaitQueueOptions(longest_wait=0.0))

    def work() -> None:
        try:
            with queue.enter("read"):
                pass
        except Rejected:
            pass

    def check() -> None:
        assert (queue.serving, queue.waiting) == (1, 0)

    with _occupied(queue):
        assert _interrupt_everywhere(work, check) > 50
    assert _is_empty(queue)


def test_an_interrupt_at_any_place_of_an_end_calls_the_next_or_lets_it_be_called() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1, options=WaitQueueOptions(longest_wait=0.05))

    def wait() -> None:
        try:
            with queue.enter("next"):
                pass
        except Rejected:
            pass

    def work() -> None:
        waiter = threading.Thread(target=wait)
        with queue.enter("read"):
            profile = sys.getprofile()
            sys.setprofile(None)
            waiter.start()
            _until(lambda: queue.waiting == 1 or not waiter.is_alive())
            waiters.append(waiter)
            sys.setprofile(profile)

    def check() -> None:
        while waiters:
            waiters.pop().join()
        assert _is_empty(queue)

    waiters: list[threading.Thread] = []
    assert _interrupt_everywhere(work, check) > 50


class _Stop(BaseException):
    """What a signal handler raises."""


def test_a_thread_that_is_interrupted_while_it_waits_leaves_the_line() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1)
    here = threading.get_ident()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _Stop

    def interrupt() -> None:
        _until(lambda: queue.waiting == 1)
        signal.pthread_kill(here, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with _occupied(queue):
            interrupter = threading.Thread(target=interrupt)
            interrupter.start()
            with pytest.raises(_Stop), queue.enter("read"):
                pass
            interrupter.join()
            assert queue.waiting == 0
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert _is_empty(queue)


@pytest.mark.usefixtures("_small_heap")
def test_turns_may_be_forgotten_at_any_allocation() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=10_000)

    def work() -> None:
        before = gc.get_threshold()
        gc.set_threshold(1, 1, 1)
        try:
            for number in range(1_000):
                if not number % 3:
                    _Knot(_queued(queue))
                with queue.enter("read"):
                    pass
        finally:
            gc.set_threshold(*before)

    assert _in_time(work)
    gc.collect()
    assert _is_empty(queue)


@pytest.mark.usefixtures("_small_heap")
def test_a_turn_may_be_forgotten_in_the_midst_of_a_change_of_the_queue() -> None:
    """The clock is read under the queue's lock whenever somebody waits."""
    guard = Guard("orders")

    is_time = threading.Event()

    def clock() -> float:
        if is_time.is_set():
            gc.collect()
        return time.monotonic()

    queue = WaitQueue(guard, concurrency=2, clock=clock)
    served: list[int] = []

    def work() -> None:
        with queue.enter("read"):
            served.append(1)

    def all_of_it() -> None:
        with queue.enter("read"):
            _Knot(_queued(queue))
            workers = [threading.Thread(target=work, daemon=True) for _ in range(5)]
            for worker in workers:
                worker.start()
            _until(lambda: queue.waiting == 5)
            is_time.set()
        for worker in workers:
            worker.join()

    assert _in_time(all_of_it)
    gc.collect()
    assert len(served) == 5
    assert _is_empty(queue)


def _task_that_waits(queue: WaitQueue) -> tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]:
    async def enter() -> None:
        async with queue.enter("read"):
            pass

    async def begin() -> asyncio.Task[None]:
        task = asyncio.create_task(enter())
        while queue.waiting == 0:  # noqa: ASYNC110 - a queue tells nobody how long it is
            await asyncio.sleep(0)
        return task

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # the task will be destroyed while it is pending
    return loop, loop.run_until_complete(begin())


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a loop that is not closed
def test_a_task_that_is_forgotten_with_its_loop_leaves_the_queue() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1)
    with _occupied(queue):
        loop, task = _task_that_waits(queue)
        del loop, task
    gc.collect()
    assert _is_empty(queue)


def test_a_task_whose_loop_is_closed_is_not_served() -> None:
    """Its place was given to it, and taken for ever; and whoever called it got the loop's error."""
    queue = WaitQueue(Guard("orders"), concurrency=1)
    with _occupied(queue):
        loop, task = _task_that_waits(queue)
        loop.close()
        assert queue.waiting == 1
    assert _is_empty(queue)
    with queue.enter("read"):
        assert not task.done()


async def test_a_task_is_cancelled_at_every_step_of_its_turn() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1)

    async def enter() -> None:
        async with queue.enter("read"):
            await asyncio.sleep(0)

    for steps in range(8):
        first, second = asyncio.create_task(enter()), asyncio.create_task(enter())
        for _ in range(steps):
            await asyncio.sleep(0)
        second.cancel()
        first.cancel()
        await asyncio.wait({first, second})
        assert _is_empty(queue)


def test_an_interrupt_does_not_open_a_circuit_breaker_for_ever() -> None:
    options = CircuitOptions(in_a_row=1, open_for=1.0)
    broken: list[Circuit] = []

    def work() -> None:
        broken.append(Circuit(options, 0.0))
        broken[-1].ended(0, 0.1, 1.0, lambda: 0.5, failed=True)

    def check() -> None:
        if broken:
            broken[-1].tick(100.0, lambda: 0.5)
            assert broken[-1].state is not CircuitState.OPEN

    assert _interrupt_everywhere(work, check) > 10
