"""Where lanes and Faust agents meet: a lane leaves work and waits, an agent takes it and yields the step."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import faust

from snowshed.streams.agents.channel import WorkChannel
from snowshed.streams.folding import Step
from snowshed.streams.transactions.judge import JudgeUnavailable, Work

__all__ = ["Exchange", "Judged"]

_PATIENCE_SECONDS = 30.0
"""An agent answers even for a fold that raises, so silence means a stuck event loop or a restarted agent."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An agent's answer to one piece of work: the step, or what the fold raised."""

    work_id: int
    outcome: Step[Any] | Exception


class Exchange:
    """Carries work from lanes' threads to one agent on the event loop, and the steps back.

    Args:
        app: the Faust app on whose loop the agent runs.
        capacity: pieces of work that may wait; a lane has at most one.
    """

    def __init__(self, app: faust.App, *, capacity: int = 64) -> None:
        self.channel = WorkChannel(app, maxsize=capacity)
        self._waiting: dict[int, Future[Step[Any]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that the agent runs on."""
        self._loop = loop

    def judge(self, work: Work) -> Step[Any]:
        """Have the agent fold `work`; called from a lane's thread.

        Raises:
            JudgeUnavailable: the agent did not answer in time.
            Exception: whatever the fold raised.
        """
        if self._loop is None:
            raise JudgeUnavailable("the worker's event loop does not run yet")
        done: Future[Step[Any]] = Future()
        self._waiting[work.work_id] = done
        try:
            asyncio.run_coroutine_threadsafe(self.channel.put(work), self._loop)
            return done.result(_PATIENCE_SECONDS)
        except TimeoutError as error:
            raise JudgeUnavailable(f"no answer within {_PATIENCE_SECONDS:.0f} s") from error
        finally:
            self._waiting.pop(work.work_id, None)

    async def deliver(self, judged: Judged) -> None:
        """Take an agent's answer: the agent's sink."""
        done = self._waiting.get(judged.work_id)
        if done is None or done.done():
            return
        if isinstance(judged.outcome, Exception):
            done.set_exception(judged.outcome)
        else:
            done.set_result(judged.outcome)
