"""Plays one arrangement of a scenario from its beginning to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from snowshed.consumers import Follower
from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.lab.control_plane import ControlPlane
from snowshed.streams.lab.hearing import Ear
from snowshed.streams.lab.ledger import Ledger
from snowshed.streams.lab.played import Listener, Note, Played
from snowshed.streams.lab.scenario import BROKER, Act, Scenario
from snowshed.streams.lab.specs import Place
from snowshed.streams.lab.stage import Stage, staged

__all__ = ["play"]

_LEAD = 0.3
"""Seconds between the order to begin and the beginning."""
_OVERTIME = 15.0
"""Seconds that the load may need beyond its last request's patience."""


async def play(
    scenario: Scenario,
    protect: str,
    *,
    seed: int,
    folder: Path,
    listener: Listener,
    plane: ControlPlane | None = None,
) -> Played:
    """Play it.

    Args:
        scenario: what happens.
        protect: the arrangement, by name or path.
        seed: of all that is random.
        folder: for logs.
        listener: told of every second and every note as it comes.
        plane: Kafka and a worker, where the arrangement needs them.

    Raises:
        ServerUnavailable: a process did not start, or ended too early.
    """
    ledger = Ledger(scenario, listener)
    place = Place(protect=protect, seed=seed)
    if plane is not None:
        place = replace(place, bootstrap=plane.kafka.bootstrap, prefix=plane.prefix)
    async with staged(scenario, place, folder, ledger) as stage:
        start = time.monotonic() + _LEAD
        stage.begin(start)
        with _heard(plane, ledger):
            await asyncio.gather(_act(scenario.acts, start, stage, plane, ledger), _finished(scenario, ledger, stage))
    return ledger.closed(protect, seed)


@contextmanager
def _heard(plane: ControlPlane | None, ledger: Ledger) -> Generator[None]:
    """What the worker decides, noted while the block runs."""
    if plane is None:
        yield
        return
    loop = asyncio.get_running_loop()
    ear = Ear(lambda note: loop.call_soon_threadsafe(ledger.note, note), time.time() + _LEAD)
    topics = tuple(plane.topics.full(short) for short in ("incidents", "decisions"))
    follower = Follower(plane.connection, topics, ear.hear, name="lab")
    follower.start()
    try:
        yield
    finally:
        follower.stop()


async def _act(acts: Sequence[Act], start: float, stage: Stage, plane: ControlPlane | None, ledger: Ledger) -> None:
    for act in sorted(acts, key=lambda each: each.at):
        await asyncio.sleep(start + act.at - time.monotonic())
        if act.said:
            ledger.note(Note(time.monotonic() - start, act.said))
        if act.target != BROKER:
            stage.order(act.target, act.order)
        elif plane is not None:
            plane.kafka.obey(act.order)


async def _finished(scenario: Scenario, ledger: Ledger, stage: Stage) -> None:
    patience = scenario.load.patience.timeout
    done = asyncio.ensure_future(ledger.done.wait())
    ends = [asyncio.ensure_future(process.ending()) for process in stage.processes.values()]
    try:
        ended, _ = await asyncio.wait(
            [done, *ends], timeout=scenario.seconds + patience + _OVERTIME, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for each in (done, *ends):
            each.cancel()
    if done not in ended:
        said = "\n".join(f"{one.name}: {one.tail()}" for one in stage.processes.values() if one.ended)
        raise ServerUnavailable(
            f"the lab's processes did not play {scenario.name} to its end: {ledger.seconds} of {scenario.seconds} s "
            f"were played; if none of them has ended, this machine is too busy for it\n{said}"
        )
