"""A forked child has none of its parent's threads: neither those that hold a lock nor those that are served."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

import pytest

from snowshed.consumers import Guard, LocalBrakes, WaitQueue
from snowshed.consumers.around import AsyncSingleFlight, SingleFlight, StaleCache
from snowshed.consumers.brakes import BulkheadOptions, ConcurrencyLimitOptions, TenantsOptions
from snowshed.consumers.integrations.hosts import HostGuards
from snowshed.consumers.testing import decision, in_memory_view
from snowshed.schemas.records import DecisionKind

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

_SMALL = LocalBrakes(
    bulkhead=BulkheadOptions(each_operation=1), tenants=TenantsOptions(), limit=ConcurrencyLimitOptions(start=1)
)


def _works_in_a_child(work: Callable[[], object]) -> bool:
    """Whether some work, done in a forked child, comes to its end there and gives something true."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


@contextmanager
def _thread(work: Callable[[], object]) -> Generator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


class _Halt:
    """A source of numbers at which one thread stops for a while, as at the end of its time slice."""

    def __init__(self) -> None:
        self.reached, self.over = threading.Event(), threading.Event()
        self.thread: int | None = None

    def __call__(self) -> float:
        if threading.get_ident() == self.thread:
            self.reached.set()
            self.over.wait(20.0)
        return 0.9


def test_a_child_does_not_inherit_a_guard_s_lock_nor_its_calls() -> None:
    halt = _Halt()
    view = in_memory_view(decision("orders", DecisionKind.BREAKER, p_reject=0.5, ttl=3600.0))
    guard = Guard("orders", view=view, rng=halt, local=_SMALL)
    held = guard("read", tenant="acme")

    def call() -> None:
        halt.thread = threading.get_ident()
        guard.try_admit("write")

    def in_child() -> bool:
        with guard("read", tenant="acme"):
            one = guard.stats
        held.succeeded()  # the parent's
        none = guard.stats
        return (one.admitted, one.in_flight, none.admitted, none.in_flight) == (
            1,
            1,
            1,
            0,
        ) and none.effective.p_reject == 0.5

    with ExitStack() as stack:
        stack.enter_context(_thread(call))
        stack.callback(halt.over.set)
        assert halt.reached.wait(10.0)
        assert _works_in_a_child(in_child)
    assert guard.stats.in_flight == 1
    held.succeeded()
    assert guard.stats.in_flight == 0


def test_a_child_s_wait_queue_is_empty() -> None:
    queue = WaitQueue(Guard("orders"), concurrency=1)
    over = threading.Event()
    begun = threading.Event()

    def work() -> None:
        with queue.enter("read"):
            begun.set()
            over.wait(20.0)

    def in_child() -> bool:
        with queue.enter("read"):
            return (queue.serving, queue.waiting) == (1, 0)

    with ExitStack() as stack:
        stack.enter_context(_thread(work))
        stack.callback(over.set)
        assert begun.wait(10.0)
        assert _works_in_a_child(in_child)
    assert queue.serving == 0


def test_a_child_asks_by_itself_for_what_a_thread_of_its_parent_asks_for() -> None:
    flights = SingleFlight[str, int]("orders")
    cache = StaleCache[str, int](Guard("orders"), ttl=60.0, bound=60.0)
    over, loading = threading.Event(), threading.Barrier(3)

    def load() -> int:
        loading.wait(10.0)
        over.wait(20.0)
        return 1

    def in_child() -> bool:
        return flights.call("a", lambda: 2) == 2 and cache.get("a", lambda: 2).value == 2

    with ExitStack() as stack:
        stack.enter_context(_thread(lambda: flights.call("a", load)))
        stack.enter_context(_thread(lambda: cache.get("a", load)))
        stack.callback(over.set)
        loading.wait(10.0)
        assert _works_in_a_child(in_child)


def test_a_child_inherits_no_lock_of_what_it_may_use() -> None:
    """As if a thread of the parent held each of them at the moment of the fork."""
    view = in_memory_view()
    flights, tasks = SingleFlight[str, int]("orders"), AsyncSingleFlight[str, int]("orders")
    cache = StaleCache[str, int](Guard("orders"), ttl=60.0, bound=60.0)
    queue = WaitQueue(Guard("orders"), concurrency=1)
    hosts = HostGuards()
    locks = [
        view._applying,  # pyright: ignore[reportPrivateUsage]
        flights._lock,  # pyright: ignore[reportPrivateUsage]
        tasks._lock,  # pyright: ignore[reportPrivateUsage]
        cache._answers._lock,  # pyright: ignore[reportPrivateUsage]
        queue._lock,  # pyright: ignore[reportPrivateUsage]
        hosts._lock,  # pyright: ignore[reportPrivateUsage]
    ]
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            held.set()
            over.wait(20.0)

    def in_child() -> bool:
        view.apply(decision("orders", DecisionKind.BREAKER, p_reject=0.5))
        flights.forget("a")
        tasks.forget("a")
        hosts.of("orders")
        with queue.enter("read"):
            return cache.get("a", lambda: 2).value == 2

    with ExitStack() as stack:
        stack.enter_context(_thread(hold))
        stack.callback(over.set)
        assert held.wait(10.0)
        assert _works_in_a_child(in_child)


def test_children_are_forked_while_threads_call() -> None:
    guard = Guard("orders", local=LocalBrakes.for_services())
    queue = WaitQueue(guard, concurrency=4)
    over = threading.Event()

    def hammer() -> None:
        while not over.is_set():
            with queue.enter("read"):
                pass

    def in_child() -> bool:
        for _ in range(20):
            with queue.enter("read"):
                pass
        return (guard.stats.admitted, guard.stats.in_flight, queue.serving) == (20, 0, 0)

    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(_thread(hammer))
        stack.callback(over.set)
        assert all(_works_in_a_child(in_child) for _ in range(20))
