"""A service whose requests fill its heap."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.lab.heap import HeapSpec
from snowshed.streams.lab.scenarios import SCENARIOS
from snowshed.streams.lab.station import Station

_HEAP = HeapSpec(size=100.0, rest=50.0, each=1.0, cost=0.001)


def test_a_request_costs_more_the_fuller_the_heap_is() -> None:
    assert _HEAP.pause(0) == pytest.approx(0.001)
    assert _HEAP.pause(25) == pytest.approx(0.003)
    assert _HEAP.pause(43) == pytest.approx(0.001 * 0.93 / 0.07)


@given(st.integers(0, 1000))
def test_a_fuller_heap_is_never_cheaper_and_never_costs_without_bound(inside: int) -> None:
    assert _HEAP.pause(inside) <= _HEAP.pause(inside + 1) <= _HEAP.pause(10_000)


def test_a_full_heap_has_room_for_none() -> None:
    assert [_HEAP.has_room(inside) for inside in (0, 42, 43, 44)] == [True, True, False, False]


async def test_work_takes_the_pauses_of_all_slots_and_those_who_wait_make_it_longer() -> None:
    async def worked(waiting: int) -> float:
        station = Station(2, 0.0, lambda: 1.0, HeapSpec(size=100.0, rest=50.0, each=10.0, cost=0.001))
        turns = [await station.enter(time.monotonic()) for _ in range(2)]
        others = [asyncio.ensure_future(station.enter(time.monotonic())) for _ in range(waiting)]
        await asyncio.sleep(0)
        began = turns[0].begun
        await station.work(turns[0])
        for one in others:
            one.cancel()
        return turns[0].begun - began

    assert await worked(0) == pytest.approx(2 * 0.001 * 0.7 / 0.3)
    assert await worked(2) == pytest.approx(2 * 0.001 * 0.9 / 0.1)


async def test_a_request_that_finds_no_room_fails_and_takes_none() -> None:
    station = Station(1, 0.001, lambda: 1.0, HeapSpec(size=100.0, rest=90.0, each=2.0, cost=0.0))
    turn = await station.enter(time.monotonic())
    for _ in range(3):
        with pytest.raises(MemoryError):
            await station.enter(time.monotonic())
    assert station.inside == 1
    station.leave(turn.begun)
    assert station.inside == 0
    await station.enter(time.monotonic())


def test_the_published_rates_lie_on_the_sides_that_make_them_so() -> None:
    """Borne: 220 with an empty queue. Not borne: 260, and with a full heap 220 and 180. Borne even so: 140."""
    (server,) = SCENARIOS["full_heap"].services
    heap = server.heap
    assert heap is not None

    def capacity(inside: int) -> float:
        return 1.0 / (server.service_time / server.slots + heap.pause(inside))

    full = next(inside for inside in range(10_000) if not heap.has_room(inside))
    assert 220.0 < capacity(0) < 260.0
    assert 140.0 < capacity(full) < 180.0
