"""Queues that form by chance before a few slots, and a queue brake that knows of them."""

from __future__ import annotations

import heapq
import random
from collections import deque
from math import factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers import Guard, LocalBrakes, Permit, WaitQueue
from snowshed.consumers.brakes import QueueDelay, QueueDelayOptions
from snowshed.consumers.brakes.chance import waits_by_chance
from snowshed.consumers.testing import FakeClock


def _erlang(slots: int, service_time: float, utilization: float) -> float:
    """The exact wait of M/M/c."""
    load = slots * utilization
    full = load**slots / factorial(slots) / (1.0 - utilization)
    waits = full / (sum(load**n / factorial(n) for n in range(slots)) + full)
    return waits * service_time / (slots * (1.0 - utilization))


@pytest.mark.parametrize("slots", [1, 2, 3, 4, 8, 16, 64])
@pytest.mark.parametrize("utilization", [0.8, 0.9, 0.95])
def test_the_approximation_is_near_the_exact_wait(slots: int, utilization: float) -> None:
    exact = _erlang(slots, 0.04, utilization)
    assert waits_by_chance(slots, 0.04, utilization) == pytest.approx(exact, rel=0.12, abs=2e-4)


@given(st.integers(1, 500), st.floats(0.001, 10.0), st.floats(0.0, 0.98))
def test_more_slots_or_less_load_never_make_the_wait_longer(slots: int, seconds: float, load: float) -> None:
    wait = waits_by_chance(slots, seconds, load)
    assert 0.0 <= waits_by_chance(slots + 1, seconds, load) <= wait <= waits_by_chance(slots, seconds, load + 0.01)


def test_a_brake_bears_what_few_slots_make_but_not_more_than_a_part_of_the_deadlines() -> None:
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    brake.serve(8, 0.04)
    assert brake.target == pytest.approx(waits_by_chance(8, 0.04, 0.95))
    brake.serve(1, 0.04)
    assert brake.target == pytest.approx(0.1), "without deadlines"
    for _ in range(100):
        brake.refuses(0, 0.1, 1.9)
    assert brake.target == pytest.approx(0.3), "of deadlines of two seconds"
    many = QueueDelay(QueueDelayOptions(), 0.0)
    many.serve(64, 0.04)
    assert many.target == 0.02
    deaf = QueueDelay(QueueDelayOptions(utilization=0.0), 0.0)
    deaf.serve(1, 0.04)
    assert deaf.target == 0.02


def test_a_wait_queue_tells_its_guard_how_many_it_serves() -> None:
    guard = Guard("orders", local=LocalBrakes())
    assert guard.slots is None
    WaitQueue(guard, concurrency=3)
    assert guard.slots == 3


def _used(told: int | None, slots: int = 3, mean: float = 0.04, overload: float = 1.3) -> tuple[float, float]:
    """The share of the capacity that is used under a lasting overload, and the mean wait of what is served."""
    clock, draws = FakeClock(0.0), random.Random(5)
    guard = Guard("orders", clock=clock)
    guard.slots = told
    ends: list[tuple[float, int]] = []
    permits: list[Permit] = []
    line: deque[float] = deque()
    arrival, served, waited = 0.0, 0, 0.0
    while clock.now < 120.0:
        arrival += draws.expovariate(overload * slots / mean)
        while ends and ends[0][0] <= arrival:
            clock.now, number = heapq.heappop(ends)
            permits[number].succeeded()
            while line and len(ends) < slots:
                since = line.popleft()
                answer = guard.try_admit(
                    queued_for=clock.now - since, deadline=since + 0.5, cohort=draws.randrange(128)
                )
                if isinstance(answer, Permit):
                    served, waited = served + 1, waited + clock.now - since
                    heapq.heappush(ends, (clock.now + draws.expovariate(1.0 / mean), len(permits)))
                    permits.append(answer)
        clock.now = arrival
        if len(ends) < slots and not line:
            answer = guard.try_admit(deadline=arrival + 0.5, cohort=draws.randrange(128))
            if isinstance(answer, Permit):
                served += 1
                heapq.heappush(ends, (arrival + draws.expovariate(1.0 / mean), len(permits)))
                permits.append(answer)
        else:
            line.append(arrival)
    return served * mean / slots / 120.0, waited / served


def test_a_few_slots_are_kept_busy_under_overload() -> None:
    blind, wait = _used(None)
    used, longer = _used(3)
    assert used > 0.9
    assert blind < used - 0.1
    assert wait < longer < 0.15, "well within the deadline of half a second"
