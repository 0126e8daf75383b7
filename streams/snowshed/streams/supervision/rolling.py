"""A rolling restart: one worker at a time, so that the others hold the group meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from snowshed.streams.supervision.keeper import Keeper

__all__ = ["roll"]

log = structlog.get_logger()

_PATIENCE = 120.0
_LOOK = 0.1
_LOOKS = 3
"""Looks in a row that must find a worker ready: between two rounds of a rebalance it is so for a moment."""


async def roll(keepers: Sequence[Keeper], ready: Callable[[Keeper], Awaitable[bool]], grace: float) -> None:
    """Restart all workers, each once all the others do their work; give up, with a log line, when they do not.

    Args:
        keepers: the workers.
        ready: whether one does its work.
        grace: seconds to stop in order.
    """
    log.info("rolling_restart", workers=len(keepers))
    for keeper in keepers:
        others = [other for other in keepers if other is not keeper]
        if not await _await_ready(others, ready):
            return
        log.info("worker_rolls", worker=keeper.worker)
        await keeper.replace(grace)
    if await _await_ready(keepers, ready):
        log.info("rolling_restart_done", workers=len(keepers))


async def _await_ready(keepers: Sequence[Keeper], ready: Callable[[Keeper], Awaitable[bool]]) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            for keeper in keepers:
                await _ready_in_a_row(keeper, ready)
    except TimeoutError:
        log.error(  # noqa: TRY400 - no bug of ours
            "rolling_restart_given_up", not_ready=[keeper.worker for keeper in keepers if not await ready(keeper)]
        )
        return False
    return True


async def _ready_in_a_row(keeper: Keeper, ready: Callable[[Keeper], Awaitable[bool]]) -> None:
    looks = 0
    while looks < _LOOKS:
        looks = looks + 1 if await ready(keeper) else 0
        await asyncio.sleep(_LOOK)
