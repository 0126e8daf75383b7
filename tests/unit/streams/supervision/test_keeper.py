"""Real processes kept alive, without Kafka: what they told, how they ended, who follows them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from snowshed.streams.hosting import Membership
from snowshed.streams.supervision.backoff import Backoff
from snowshed.streams.supervision.child import Child
from snowshed.streams.supervision.deaths import Death
from snowshed.streams.supervision.keeper import Keeper
from snowshed.streams.supervision.reports import encode
from snowshed.streams.supervision.rolling import roll

MEMBER = Membership("fleet", "classic", "rdkafka-1")
GRACE = 10.0
TELL = f"import os, sys, time; os.write(int(sys.argv[2]), {encode(MEMBER)!r})"
STAY = f"{TELL}; time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {STAY}"


def start(program: str) -> Callable[[int], Child]:
    return lambda worker: Child(worker, [sys.executable, "-c", program], dict(os.environ))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another process's doing sets no event of ours
            await asyncio.sleep(0.01)


def joined(keeper: Keeper) -> bool:
    return keeper.child is not None and keeper.child.membership == MEMBER


@asynccontextmanager
async def kept(*keepers: Keeper) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as tasks:
        for keeper in keepers:
            tasks.create_task(keeper.run())
        await until(lambda: all(map(joined, keepers)))
        yield
        await asyncio.gather(*(keeper.end(GRACE) for keeper in keepers))


async def test_what_a_process_told_last_is_known_at_its_death() -> None:
    death = await start(f"{TELL}; os._exit(70)")(3).death()
    assert (death.worker, death.code, death.membership, death.wanted) == (3, 70, MEMBER, False)


async def test_a_death_is_noticed_at_once() -> None:
    child = start(STAY)(0)
    await until(lambda: child.membership is not None)
    os.kill(child.pid, signal.SIGKILL)
    killed = time.monotonic()
    death = await child.death()
    assert death.ending == "SIGKILL"
    assert time.monotonic() - killed < 0.5  # milliseconds, but for a busy machine


async def test_a_process_that_does_not_stop_is_killed_after_its_grace() -> None:
    child = start(STUBBORN)(0)
    await until(lambda: child.membership is not None)
    await child.end(0.1)
    death = await child.death()
    assert (death.ending, death.wanted, death.bereft) == ("SIGKILL", True, MEMBER)


async def test_a_worker_that_dies_is_started_again_after_a_pause() -> None:
    deaths: list[Death] = []
    keeper = Keeper(0, "", start(STAY), deaths.append)
    async with kept(keeper):
        assert keeper.child is not None
        os.kill(keeper.child.pid, signal.SIGKILL)
        killed = time.monotonic()
        await until(lambda: bool(deaths) and joined(keeper))
        assert time.monotonic() - killed >= 1
    assert [death.wanted for death in deaths] == [False, True]


async def test_a_worker_is_replaced_without_a_pause_even_while_it_waits_for_one() -> None:
    deaths: list[Death] = []
    keeper = Keeper(0, "", start(STAY), deaths.append)
    async with kept(keeper):
        vars(keeper)["_backoff"] = Backoff(9)  # the pause is now half a minute
        assert keeper.child is not None
        os.kill(keeper.child.pid, signal.SIGKILL)
        await until(lambda: keeper.child is None)
        await keeper.replace(GRACE)
        await until(lambda: joined(keeper))
        await keeper.replace(GRACE)
        await until(lambda: len(deaths) == 2 and joined(keeper))


async def test_a_system_that_starts_no_process_is_asked_again() -> None:
    asked: list[int] = []

    def reluctant(worker: int) -> Child:
        asked.append(worker)
        if len(asked) == 1:
            raise BlockingIOError("no process to be had")
        return start(STAY)(worker)

    async with kept(Keeper(5, "", reluctant, lambda _: None)):
        assert asked == [5, 5]


async def test_workers_roll_one_by_one_each_once_all_others_are_ready() -> None:
    keepers: list[Keeper] = []
    living_at_death: list[int] = []

    def died(_: Death) -> None:
        living_at_death.append(sum(map(joined, keepers)))

    async def ready(keeper: Keeper) -> bool:
        return joined(keeper)

    keepers += [Keeper(number, "", start(STAY), died) for number in range(3)]
    async with kept(*keepers):
        before = [keeper.child.pid for keeper in keepers if keeper.child is not None]
        await roll(keepers, ready, GRACE)
        after = [keeper.child.pid for keeper in keepers if keeper.child is not None]
        assert living_at_death == [2, 2, 2]
        assert len(set(before + after)) == 6
