"""Keeps one worker alive: starts it, waits for its end, starts it again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from snowshed.streams.supervision.backoff import Backoff
from snowshed.streams.supervision.child import Child
from snowshed.streams.supervision.deaths import Death

__all__ = ["Keeper"]

log = structlog.get_logger()


class Keeper:
    """Keeps one worker alive until it is ended.

    Args:
        worker: its number.
        page: where it serves its page.
        start: starts a life of it.
        died: told of each end.
    """

    def __init__(self, worker: int, page: str, start: Callable[[int], Child], died: Callable[[Death], None]) -> None:
        self.worker, self.page = worker, page
        self.child: Child | None = None
        """Its life now; None between two of them."""
        self._start, self._died = start, died
        self._backoff = Backoff()
        self._ending = False
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Keep it alive until `end`."""
        while not self._ending:
            self._wake.clear()
            if not await self._live():
                await self._pause()

    async def end(self, grace: float) -> None:
        """Stop it in order, or kill it after the grace (seconds), for good."""
        self._ending = True
        await self.replace(grace)

    async def replace(self, grace: float) -> None:
        """Stop its process like `end`; a new one follows at once."""
        self._wake.set()
        if self.child is not None:
            await self.child.end(grace)

    async def _live(self) -> bool:
        """One life of it; whether we ended that."""
        try:
            self.child = child = self._start(self.worker)
        except OSError as error:
            log.error("worker_not_started", worker=self.worker, reason=str(error))  # noqa: TRY400 - no bug of ours
            self._backoff = self._backoff.after(0.0)
            return False
        log.info("worker_started", worker=self.worker, pid=child.pid, page=self.page)
        death = await child.death()
        self.child = None
        self._backoff = Backoff() if death.wanted else self._backoff.after(death.lived)
        self._died(death)
        return death.wanted

    async def _pause(self) -> None:
        log.info("worker_waits", worker=self.worker, seconds=self._backoff.seconds)
        try:
            await asyncio.wait_for(self._wake.wait(), self._backoff.seconds)
        except TimeoutError:
            return
