"""A Guard in front of Redis: the client classes of redis-py, plain and asyncio.

::

    client = GuardedRedis.from_url(url, guard=guard)
"""

from __future__ import annotations

# redis-py annotates its commands, not what sends them.
# mypy: disable-error-code="no-untyped-call"
# pyright: reportUnknownVariableType=false
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import redis
from redis import asyncio as aioredis
from redis import exceptions
from redis.asyncio import ConnectionPool as AsyncConnectionPool
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline
from redis.connection import ConnectionPool

from snowshed.consumers.guard import Guard

__all__ = ["AsyncGuardedRedis", "GuardedRedis"]

_EXEMPT = frozenset({"PING"})
_BLOCKING = frozenset(
    {
        "BLMOVE",
        "BLMPOP",
        "BLPOP",
        "BRPOP",
        "BRPOPLPUSH",
        "BZMPOP",
        "BZPOPMAX",
        "BZPOPMIN",
        "WAIT",
        "WAITAOF",
    }
)
_BLOCKING_BY_OPTION = frozenset({"XREAD", "XREADGROUP"})
_OVERLOADED = (
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    exceptions.ClusterDownError,
    exceptions.MaxConnectionsError,
    exceptions.OutOfMemoryError,
    exceptions.TryAgainError,
)


@contextmanager
def _guarded(guard: Guard, command: str, *, blocks: bool = False) -> Generator[None]:
    """Admits one command; an error that the server answers with says nothing of load unless it names it."""
    with guard(command, exempt=command in _EXEMPT) as permit:
        if blocks:  # how long others take to send something is not the server's time
            permit.ignored()
        try:
            yield
        except _OVERLOADED:
            permit.dropped()
            raise
        except (exceptions.ResponseError, exceptions.WatchError):
            permit.succeeded()
            raise


def _command(guard: Guard, arguments: tuple[Any, ...]) -> AbstractContextManager[None]:
    name = _word(arguments[0]) if arguments else ""
    return _guarded(guard, name, blocks=name in _BLOCKING or (name in _BLOCKING_BY_OPTION and _blocks(arguments)))


def _blocks(arguments: tuple[Any, ...]) -> bool:
    for argument in arguments[1:]:
        word = _word(argument)
        if word in {"BLOCK", "STREAMS"}:  # what stands behind the latter are names
            return word == "BLOCK"
    return False


def _word(argument: Any) -> str:
    return (argument.decode("utf-8", "replace") if isinstance(argument, bytes) else str(argument)).upper()


class GuardedRedis(redis.Redis):
    """A client that refuses commands and whole pipelines with `Rejected` before they are sent.

    PING is never refused. What a pipeline reads while it watches keys goes on unasked; its `execute` is one call. The
    client's own retries happen within one call, so give it `retry=None` where retries are to be charged. A command that
    blocks until somebody else sends something, like BLPOP, is asked for but neither timed nor counted as in flight.

    Args:
        guard: the guard of this Redis.
        options: as `redis.Redis` takes them.
    """

    def __init__(self, *, guard: Guard, **options: Any) -> None:
        super().__init__(**options)
        self._guard = guard

    @classmethod
    def from_url(cls, url: str, *, guard: Guard, **options: Any) -> GuardedRedis:  # type: ignore[override]
        """A client of the server that a URL names; `options` as `redis.Redis.from_url` takes them."""
        alone: bool = options.pop("single_connection_client", False)
        pool = ConnectionPool.from_url(url, **options)
        client = cls(guard=guard, connection_pool=pool, single_connection_client=alone)
        client.auto_close_connection_pool = True
        return client

    @classmethod
    def from_pool(cls, connection_pool: ConnectionPool, *, guard: Guard) -> GuardedRedis:  # type: ignore[override]
        """A client that owns a pool and closes it."""
        client = cls(guard=guard, connection_pool=connection_pool)
        client.auto_close_connection_pool = True
        return client

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Sends a command if the guard admits it."""
        with _command(self._guard, args):
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

    @classmethod
    def from_url(cls, url: str, *, guard: Guard, **options: Any) -> AsyncGuardedRedis:  # type: ignore[override]
        """A client of the server that a URL names; `options` as `redis.asyncio.Redis.from_url` takes them."""
        alone: bool = options.pop("single_connection_client", False)
        pool = AsyncConnectionPool.from_url(url, **options)
        client = cls(guard=guard, connection_pool=pool, single_connection_client=alone)
        client.auto_close_connection_pool = True
        return client

    @classmethod
    def from_pool(  # type: ignore[override]
        cls, connection_pool: AsyncConnectionPool, *, guard: Guard
    ) -> AsyncGuardedRedis:
        """A client that owns a pool and closes it."""
        client = cls(guard=guard, connection_pool=connection_pool)
        client.auto_close_connection_pool = True
        return client

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Sends a command if the guard admits it."""
        with _command(self._guard, args):
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
