"""Runs workers until it is told to stop, and sees to what each death leaves behind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

import structlog

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.hosting import Membership
from snowshed.streams.supervision import terminal
from snowshed.streams.supervision.deaths import Death, hopeless
from snowshed.streams.supervision.keeper import Keeper
from snowshed.streams.supervision.launch import Launch
from snowshed.streams.supervision.leaving import Outcome
from snowshed.streams.supervision.link import GroupLink
from snowshed.streams.supervision.readiness import ready
from snowshed.streams.supervision.rolling import roll

__all__ = ["Supervisor"]

log = structlog.get_logger()

_GRACE = 15.0
"""Seconds for a worker to finish its transactions and leave the group."""
_LAST_DEPARTURES = 3.0


class Supervisor:
    """Several workers on this machine, under this process.

    Args:
        launches: the workers.
        link: removes the dead from their group; None to leave that to the group's session.
    """

    def __init__(self, launches: Sequence[Launch], link: GroupLink | None) -> None:
        self._link = link
        self._keepers = [
            Keeper(number, launch.page, launch.start, self._died) for number, launch in enumerate(launches)
        ]
        self._latest: dict[int, Death] = {}
        self._any_joined = False
        self._stopping, self._roll_wanted = asyncio.Event(), asyncio.Event()
        self._departures: set[asyncio.Task[None]] = set()
        self._hopeless: str | None = None

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; SIGHUP restarts the workers one by one.

        Raises:
            ConfigurationError: none of the workers can work with the settings.
        """
        self._listen()
        async with asyncio.TaskGroup() as tasks:
            rolling = tasks.create_task(self._roll_when_asked())
            keeping = tasks.create_task(self._link.keep_open()) if self._link is not None else None
            for keeper in self._keepers:
                tasks.create_task(keeper.run())
            await self._stopping.wait()
            rolling.cancel()
            await self._end()
            if keeping is not None:
                keeping.cancel()
        if self._hopeless is not None:
            raise ConfigurationError(self._hopeless)

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up, terminal.is_there())

    def _hang_up(self, attended: bool) -> None:
        # A terminal that closes sends SIGHUP too, and then nobody is left who could ask for anything.
        closed = attended and not terminal.is_there()
        (self._stopping if closed else self._roll_wanted).set()

    async def _roll_when_asked(self) -> None:
        while True:
            await self._roll_wanted.wait()
            self._roll_wanted.clear()
            await roll(self._keepers, self._is_ready, _GRACE)

    async def _is_ready(self, keeper: Keeper) -> bool:
        return await ready(keeper.child, keeper.page, self._link)

    async def _end(self) -> None:
        log.info("supervisor_stopping", workers=len(self._keepers))
        await asyncio.gather(*(keeper.end(_GRACE) for keeper in self._keepers))
        if self._departures:
            await asyncio.wait(self._departures, timeout=_LAST_DEPARTURES)

    def _died(self, death: Death) -> None:
        self._latest[death.worker] = death
        self._any_joined = self._any_joined or death.membership is not None
        self._tell(death)
        if death.bereft is not None and self._link is not None:
            task = asyncio.create_task(self._remove(death.worker, death.bereft, self._link))
            self._departures.add(task)
            task.add_done_callback(self._departures.discard)
        living = any(keeper.child is not None for keeper in self._keepers)
        if not living and not self._any_joined:
            self._hopeless = hopeless([self._latest.get(keeper.worker) for keeper in self._keepers])
            if self._hopeless is not None:
                self._stopping.set()

    def _tell(self, death: Death) -> None:
        (log.info if death.wanted else log.warning)(
            "worker_ended",
            worker=death.worker,
            pid=death.pid,
            ending=death.ending,
            lived=round(death.lived, 3),
            wanted=death.wanted,
            takeover=self._takeover(death),
        )

    def _takeover(self, death: Death) -> str:
        if death.bereft is None:
            return "none: it was no member of its group"
        return "by removing it from its group" if self._link is not None else "when its session ends"

    @staticmethod
    async def _remove(worker: int, member: Membership, link: GroupLink) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        departure = await link.leave(member)
        removed = departure.outcome in {Outcome.LEFT, Outcome.GONE}
        (log.info if removed else log.warning)(
            "member_removed" if removed else "member_not_removed",
            worker=worker,
            member=member.member_id,
            protocol=member.protocol,
            outcome=departure.outcome.value,
            reason=departure.reason,
            seconds=round(loop.time() - started, 3),
        )
