"""The guarded Redis clients against a real server."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import ConnectionPool, exceptions
from redis.asyncio import ConnectionPool as AsyncConnectionPool
from tests.support.redis import RedisPair

from snowshed.consumers import Guard, Outcome
from snowshed.consumers.integrations.redis import AsyncGuardedRedis, GuardedRedis
from snowshed.consumers.testing import decision, set_decisions
from snowshed.schemas.errors import Rejected
from snowshed.schemas.records import DecisionKind

_BROKEN = decision("cache", DecisionKind.BREAKER, p_reject=1.0)


@pytest.fixture
def guard() -> Guard:
    return Guard("cache")


def _address(pair: RedisPair) -> dict[str, Any]:
    host, _, port = pair.source_url.removeprefix("redis://").rpartition(":")
    return {"host": host, "port": int(port), "decode_responses": True}


@contextmanager
def _client(guard: Guard, pair: RedisPair, **options: Any) -> Generator[Any]:
    client = GuardedRedis(guard=guard, **_address(pair), **options)
    try:
        yield client
    finally:
        client.close()


def test_commands_and_pipelines_are_refused_before_they_are_sent(
    redis_pair: RedisPair, guard: Guard, prefix: str
) -> None:
    with _client(guard, redis_pair) as client:
        client.set(prefix, "kept")
        with set_decisions(guard, _BROKEN):
            with pytest.raises(Rejected, match="cache"):
                client.set(prefix, "lost")
            with pytest.raises(Rejected):
                client.pipeline().set(prefix, "lost").execute()
            assert client.ping()
        assert client.get(prefix) == "kept"
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 3}


def test_a_pipeline_is_one_call_and_one_that_lost_its_race_has_its_answer(
    redis_pair: RedisPair, guard: Guard, prefix: str
) -> None:
    with _client(guard, redis_pair) as client, client.pipeline() as pipeline:
        assert pipeline.set(prefix, "1").incr(prefix).execute() == [True, 2]
        pipeline.watch(prefix)
        client.incr(prefix)
        pipeline.multi()
        pipeline.incr(prefix)
        with pytest.raises(exceptions.WatchError):
            pipeline.execute()
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 3}


def test_the_answer_decides_the_outcome(redis_pair: RedisPair, guard: Guard, prefix: str) -> None:
    with _client(guard, redis_pair) as client:
        client.set(prefix, "text")
        with pytest.raises(exceptions.ResponseError):
            client.incr(prefix)
        redis_pair.execute(0, "CONFIG", "SET", "maxmemory", "1")
        try:
            with pytest.raises(exceptions.OutOfMemoryError):
                client.set(prefix, "more")
        finally:
            redis_pair.execute(0, "CONFIG", "SET", "maxmemory", "0")
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 2, Outcome.DROPPED: 1}


def test_a_time_out_is_dropped_and_a_refused_connection_ignored(redis_pair: RedisPair, guard: Guard) -> None:
    with _client(guard, redis_pair, socket_timeout=0.1, retry=None) as client:
        redis_pair.execute(0, "CLIENT", "PAUSE", "500", "ALL")
        try:
            with pytest.raises(exceptions.TimeoutError):
                client.get("key")
        finally:
            redis_pair.execute(0, "CLIENT", "UNPAUSE")
    with GuardedRedis(guard=guard, port=1, retry=None) as nobody, pytest.raises(exceptions.ConnectionError):
        nobody.get("key")
    assert guard.stats.outcomes == {Outcome.DROPPED: 1, Outcome.IGNORED: 1}


def test_a_client_with_its_own_connection_is_guarded_too(redis_pair: RedisPair, guard: Guard) -> None:
    with _client(guard, redis_pair) as client, client.client() as own:
        assert own.ping()
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1}


async def test_asynchronous_clients_are_guarded_too(redis_pair: RedisPair, guard: Guard, prefix: str) -> None:
    async with AsyncGuardedRedis(guard=guard, **_address(redis_pair)) as client:
        await client.set(prefix, "1")
        pipeline: Any = client.pipeline()
        assert await pipeline.incr(prefix).execute() == [2]
        with set_decisions(guard, _BROKEN):
            with pytest.raises(Rejected):
                await client.get(prefix)
            with pytest.raises(Rejected):
                await pipeline.incr(prefix).execute()
            assert await client.ping()
        async with client.client() as own:
            assert await own.get(prefix) == "2"
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 4}


def test_a_client_is_made_from_a_url_or_a_pool(redis_pair: RedisPair, guard: Guard) -> None:
    url = redis_pair.source_url
    with GuardedRedis.from_url(url, guard=guard, decode_responses=True, single_connection_client=True) as client:
        assert client.echo("said") == "said"
        assert client.connection is not None
    with GuardedRedis.from_pool(ConnectionPool.from_url(url), guard=guard) as client:
        assert client.echo("said") == b"said"
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 2}


async def test_an_asynchronous_client_is_made_from_a_url_or_a_pool(redis_pair: RedisPair, guard: Guard) -> None:
    url = redis_pair.source_url
    async with AsyncGuardedRedis.from_url(url, guard=guard, decode_responses=True) as client:
        assert await client.echo("said") == "said"
    async with AsyncGuardedRedis.from_pool(AsyncConnectionPool.from_url(url), guard=guard) as client:
        assert await client.echo("said") == b"said"
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 2}


@pytest.mark.parametrize(
    "command",
    [
        ("BLPOP", "{key}", "0"),
        (b"blpop", "{key}", "0"),
        ("XREAD", "COUNT", "1", "block", "0", "STREAMS", "{key}", "$"),
    ],
)
def test_a_command_that_blocks_is_asked_for_and_not_timed(
    redis_pair: RedisPair, guard: Guard, prefix: str, command: tuple[Any, ...]
) -> None:
    words = [word.replace("{key}", prefix) if isinstance(word, str) else word for word in command]
    with _client(guard, redis_pair) as client, _client(Guard("other"), redis_pair) as other:
        waiting = threading.Thread(target=client.execute_command, args=words)
        waiting.start()
        try:
            while not redis_pair.execute(0, "INFO", "clients")["blocked_clients"]:
                assert waiting.is_alive()
            assert guard.stats.in_flight == 0
        finally:
            if command[0] == "XREAD":
                other.xadd(prefix, {"one": "1"})
            else:
                other.rpush(prefix, "one")
            waiting.join()
        with set_decisions(guard, _BROKEN), pytest.raises(Rejected):
            client.execute_command(*words)
    assert guard.stats.outcomes == {Outcome.IGNORED: 1}


def test_a_read_of_a_stream_that_does_not_block_is_timed(redis_pair: RedisPair, guard: Guard, prefix: str) -> None:
    with _client(guard, redis_pair) as client:
        client.xread({"BLOCK": "$", prefix: "$"})
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1}
