"""The database integrations against a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from importlib import import_module
from typing import Any

import psycopg
import psycopg_pool
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool
from tests.support.postgres import PostgresPair

from snowshed.consumers import Guard, Outcome
from snowshed.consumers.integrations.pools import acquire, acquire_async
from snowshed.consumers.integrations.sqlalchemy import guarded_pool, report_failures
from snowshed.consumers.testing import decision, set_decisions
from snowshed.schemas.errors import Rejected
from snowshed.schemas.records import DecisionKind

asyncpg: Any = import_module("asyncpg")  # it has no type information

_TIMED_OUT = "set statement_timeout = 10; select pg_sleep(10)"
_BROKEN = decision("orders-db", DecisionKind.BREAKER, p_reject=1.0)


@pytest.fixture
def guard() -> Guard:
    return Guard("orders-db")


@contextmanager
def _engine(guard: Guard, pair: PostgresPair, **options: Any) -> Generator[Any]:
    url = pair.primary_dsn.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url, poolclass=guarded_pool(guard), **options)
    report_failures(engine)
    try:
        yield engine
    finally:
        engine.dispose()


def test_an_engine_asks_before_it_lends_and_counts_until_it_is_given_back(
    postgres_pair: PostgresPair, guard: Guard
) -> None:
    with _engine(guard, postgres_pair, pool_size=1, max_overflow=0) as engine:
        with engine.connect() as connection:
            assert guard.stats.in_flight == 1
            with set_decisions(guard, _BROKEN):
                assert connection.scalar(text("select 1")) == 1  # what has begun goes on
        with set_decisions(guard, _BROKEN), pytest.raises(Rejected, match="orders-db"):
            engine.connect()
        assert engine.pool.checkedout() == 0
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1}


def test_a_refusal_waits_for_no_place_and_a_wait_that_ends_in_vain_is_dropped(
    postgres_pair: PostgresPair, guard: Guard
) -> None:
    with _engine(guard, postgres_pair, pool_size=1, max_overflow=0, pool_timeout=0.05) as engine, engine.connect():
        with pytest.raises(PoolTimeout):
            engine.connect()
        with set_decisions(guard, _BROKEN), pytest.raises(Rejected):
            engine.connect()
        assert guard.stats.outcomes == {Outcome.DROPPED: 1}


def test_the_servers_code_decides_the_outcome_of_an_engines_connection(
    postgres_pair: PostgresPair, guard: Guard
) -> None:
    with _engine(guard, postgres_pair) as engine:
        with engine.connect() as connection, pytest.raises(OperationalError):
            connection.execute(text(_TIMED_OUT))
        with engine.connect() as connection:
            connection.execute(text("create temporary table scratch (id integer primary key)"))
            with pytest.raises(IntegrityError):
                connection.execute(text("insert into scratch values (1), (1)"))
        with engine.connect() as connection, pytest.raises(OperationalError):
            connection.execute(text("select pg_terminate_backend(pg_backend_pid())"))
    assert guard.stats.outcomes == {Outcome.DROPPED: 1, Outcome.SUCCEEDED: 1, Outcome.IGNORED: 1}
    assert guard.stats.in_flight == 0


def test_a_server_that_is_away_is_ignored(guard: Guard) -> None:
    engine = create_engine(
        "postgresql+psycopg://postgres@127.0.0.1:1/postgres", poolclass=guarded_pool(guard, NullPool)
    )
    with pytest.raises(OperationalError):
        engine.connect()
    assert guard.stats.outcomes == {Outcome.IGNORED: 1}


async def test_asynchronous_engines_are_guarded_too(postgres_pair: PostgresPair, guard: Guard) -> None:
    url = postgres_pair.primary_dsn.replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url, poolclass=guarded_pool(guard, AsyncAdaptedQueuePool))
    report_failures(engine)
    async with engine.connect() as connection:
        assert await connection.scalar(text("select 1")) == 1
    with set_decisions(guard, _BROKEN), pytest.raises(Rejected):
        await engine.connect()
    await engine.dispose()
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1}


async def test_a_lent_connection_is_guarded_and_the_servers_code_decides(
    postgres_pair: PostgresPair, guard: Guard
) -> None:
    async with asyncpg.create_pool(postgres_pair.primary_dsn, min_size=1, max_size=1) as pool:
        lent: AbstractAsyncContextManager[Any] = pool.acquire()
        async with acquire_async(guard, lent) as connection:
            assert await connection.fetchval("select 1") == 1
            with pytest.raises(TimeoutError):
                async with acquire_async(guard, pool.acquire(timeout=0.05)):
                    pass
        with pytest.raises(asyncpg.QueryCanceledError):
            async with acquire_async(guard, pool.acquire()) as connection:
                await connection.execute(_TIMED_OUT)
        with pytest.raises(asyncpg.UndefinedTableError):
            async with acquire_async(guard, pool.acquire()) as connection:
                await connection.execute("select * from missing")
        with set_decisions(guard, _BROKEN), pytest.raises(Rejected):
            async with acquire_async(guard, pool.acquire()):
                pass
        assert pool.get_idle_size() == 1
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 2, Outcome.DROPPED: 2}


def test_a_plain_connection_is_guarded_like_a_lent_one(postgres_pair: PostgresPair, guard: Guard) -> None:
    with acquire(guard, psycopg.connect(postgres_pair.primary_dsn)) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    with (
        pytest.raises(psycopg.errors.AdminShutdown),
        acquire(guard, psycopg.connect(postgres_pair.primary_dsn)) as connection,
    ):
        connection.execute("select pg_terminate_backend(pg_backend_pid())")
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1, Outcome.IGNORED: 1}


def test_a_psycopg_pool_that_is_exhausted_is_dropped(postgres_pair: PostgresPair, guard: Guard) -> None:
    with (
        psycopg_pool.ConnectionPool(postgres_pair.primary_dsn, min_size=1, max_size=1, open=True) as pool,
        acquire(guard, pool.connection()) as connection,
    ):
        assert connection.execute("select 1").fetchone() == (1,)
        with pytest.raises(psycopg_pool.PoolTimeout), acquire(guard, pool.connection(timeout=0.05)):
            pass
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1, Outcome.DROPPED: 1}
