"""A Guard in front of Redis: the client classes of redis-py, plain and asyncio.

::

    client = GuardedRedis(guard=guard, connection_pool=ConnectionPool.from_url(url))
"""

from __future__ import annotations

# redis-py annotates its commands, not what sends them.
# mypy: disable-error-code="no-untyped-call"
# pyright: reportUnknownVariableType=false
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import redis
from redis import asyncio as aioredis
from redis import exceptions
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline

from snowshed.consumers.guard import Guard

__all__ = ["AsyncGuardedRedis", "GuardedRedis"]

_EXEMPT = frozenset({"PING"})
_OVERLOADED = (
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    exceptions.ClusterDownError,
    exceptions.MaxConnectionsError,
    exceptions.OutOfMemoryError,
    exceptions.TryAgainError,
)


@contextmanager
def _guarded(guard: Guard, command: str) -> Generator[None]:
    """Admits one command; an error that the server answers with says nothing of load unless it names it."""
    with guard(command, exempt=command in _EXEMPT) as permit:
        try:
            yield
        except _OVERLOADED:
            permit.dropped()
            raise
        except (exceptions.ResponseError, exceptions.WatchError):
            permit.succeeded()
            raise


def _name(arguments: tuple[Any, ...]) -> str:
    name = arguments[0] if arguments else ""
    return (name.decode() if isinstance(name, bytes) else str(name)).upper()


class GuardedRedis(redis.Redis):
    """A client that refuses commands and whole pipelines with `Rejected` before they are sent.

    PING is never refused. What a pipeline reads while it watches keys goes on unasked; its `execute` is one call. The
    client's own retries happen within one call, so give it `retry=None` where retries are to be charged.

    Args:
        guard: the guard of this Redis.
        options: as `redis.Redis` takes them.
    """

    def __init__(self, *, guard: Guard, **options: Any) -> None:
        super().__init__(**options)
        self._guard = guard

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Sends a command if the guard admits it."""
        with _guarded(self._guard, _name(args)):
            return super().execute_command(*args, **options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """A pipeline whose `execute` asks the guard."""
        return _GuardedPipeline(self._guard, self.connection_pool, self.response_callbacks, transaction, shard_hint)

    def client(self) -> GuardedRedis:
        """A client with a connection of its own."""
        return GuardedRedis(guard=self._guard, connection_pool=self.connection_pool, single_connection_client=True)


class _GuardedPipeline(Pipeline):
    def __init__(self, guard: Guard, *options: Any) -> None:
        super().__init__(*options)
        self._guard = guard

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        with _guarded(self._guard, "PIPELINE"):
            return super().execute(raise_on_error)


class AsyncGuardedRedis(aioredis.Redis):
    """`GuardedRedis` for asyncio.

    Args:
        guard: the guard of this Redis.
        options: as `redis.asyncio.Redis` takes them.
    """

    def __init__(self, *, guard: Guard, **options: Any) -> None:
        super().__init__(**options)
        self._guard = guard

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Sends a command if the guard admits it."""
        with _guarded(self._guard, _name(args)):
            return await super().execute_command(*args, **options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> AsyncPipeline:
        """A pipeline whose `execute` asks the guard."""
        return _AsyncGuardedPipeline(
            self._guard, self.connection_pool, self.response_callbacks, transaction, shard_hint
        )

    def client(self) -> AsyncGuardedRedis:
        """A client with a connection of its own."""
        return AsyncGuardedRedis(guard=self._guard, connection_pool=self.connection_pool, single_connection_client=True)


class _AsyncGuardedPipeline(AsyncPipeline):
    def __init__(self, guard: Guard, *options: Any) -> None:
        super().__init__(*options)
        self._guard = guard

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        with _guarded(self._guard, "PIPELINE"):
            return await super().execute(raise_on_error)
