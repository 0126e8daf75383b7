from __future__ import annotations

import asyncio
import time

import pytest

from snowshed.streams.lab.station import Station


async def work(station: Station) -> float:
    turn = await station.enter(time.monotonic())
    await station.work(turn)
    station.leave(turn.begun)
    return turn.queued


async def test_requests_beyond_its_slots_wait_in_order() -> None:
    station = Station(2, 0.01, lambda: 1.0)
    waits = await asyncio.gather(*(work(station) for _ in range(6)))
    assert waits[0] == waits[1] == 0.0
    # Two slots become free at nearly the same time: which of two is told first is the machine's affair.
    assert [round(100 * wait) for wait in waits] == [0, 0, 1, 1, 2, 2]
    assert station.queue == 0


async def test_work_begins_when_its_slot_should_have_become_free_however_late_the_timer_is() -> None:
    station = Station(1, 0.001, lambda: 1.0)
    turns = [await station.enter(time.monotonic())]
    began = turns[0].begun
    waiting = [asyncio.ensure_future(station.enter(began)) for _ in range(5)]
    await asyncio.sleep(0.05)
    for each in waiting:
        await station.work(turns[-1])
        station.leave(turns[-1].begun)
        turns.append(await each)
    # The first ended its work 1 ms after it began and noticed 50 ms later; the others lose nothing by that.
    assert turns[-1].begun - began == pytest.approx(0.005, abs=1e-4)


async def test_who_waited_outside_loses_nothing_by_a_late_timer_and_wins_no_time_before_it_came() -> None:
    station = Station(1, 0.01, lambda: 1.0)
    arrived = time.monotonic()
    turn = await station.enter(arrived)
    turn.begun += 0.01
    await asyncio.sleep(0.03)  # the work was over after 10 ms
    station.leave(turn.begun)
    late = await station.enter(arrived)
    assert turn.begun <= late.begun < arrived + 0.03
    station.leave(late.begun)
    came = time.monotonic()
    assert (await station.enter(came)).begun == came


async def test_a_cut_capacity_makes_work_longer() -> None:
    station = Station(1, 0.001, lambda: 1.0)
    station.factor = 0.1
    began = time.monotonic()
    await work(station)
    assert time.monotonic() - began >= 0.009


async def test_a_request_given_up_while_it_waits_takes_no_slot() -> None:
    station = Station(1, 0.01, lambda: 1.0)
    turn = await station.enter(time.monotonic())
    waiting = asyncio.ensure_future(station.enter(time.monotonic()))
    called = asyncio.ensure_future(station.enter(time.monotonic()))
    await asyncio.sleep(0)
    waiting.cancel()
    station.leave(turn.begun)
    called.cancel()  # its turn has come, and it has not noticed yet
    await asyncio.gather(waiting, called, return_exceptions=True)
    assert (await asyncio.wait_for(station.enter(time.monotonic()), 1.0)).queued == 0.0
