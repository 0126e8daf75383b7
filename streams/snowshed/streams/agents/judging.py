"""The agents: each folds the batches of one input topic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import faust
from faust.types import StreamT

from snowshed.streams.agents.exchange import Exchange, Judged
from snowshed.streams.folding import Fold, Step
from snowshed.streams.transactions.judge import Work

__all__ = ["Agents", "declare"]


class Agents:
    """The judge that lanes of a Faust worker ask: hands each work to the agent of its fold."""

    def __init__(self, exchanges: Mapping[str, Exchange]) -> None:
        self._exchanges = exchanges

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that the agents run on."""
        for exchange in self._exchanges.values():
            exchange.bind(loop)

    def judge(self, work: Work) -> Step[Any]:
        """Have the agent of the work's fold judge it; called from a lane's thread."""
        return self._exchanges[work.fold.agent].judge(work)


def declare(app: faust.App, folds: Mapping[str, Fold[Any, Any]]) -> Agents:
    """Declare one agent a fold on `app`, named after the fold.

    Args:
        app: the Faust app.
        folds: the folds by agent name.
    """
    exchanges = {name: Exchange(app) for name in folds}
    for name, exchange in exchanges.items():
        app.agent(exchange.channel, name=f"snowshed.{name}", sink=[exchange.deliver])(_judge)
    return Agents(exchanges)


async def _judge(works: StreamT[Work]) -> AsyncIterator[Judged]:
    async for work in works:
        yield Judged(work.work_id, _outcome(work))


def _outcome(work: Work) -> Step[Any] | Exception:
    try:
        return work.step()
    except Exception as error:  # noqa: BLE001 the lane that asked aborts, logs the reason and narrows the batch down
        return error
