"""The database adapters against a real PostgreSQL."""

import asyncio
from importlib import import_module
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from tests.support.postgres import PostgresPair

from snowshed.producers import MemoryTransport, Node, Outcome, Telemetry
from snowshed.producers.instrument import asyncpg as timed_asyncpg
from snowshed.producers.instrument import fingerprint
from snowshed.producers.instrument import psycopg as timed_psycopg
from snowshed.producers.instrument.sqlalchemy import instrument_engine
from snowshed.schemas.propagation import attempt
from snowshed.schemas.records import TimingBatch

pytestmark = pytest.mark.broker

asyncpg: Any = import_module("asyncpg")  # it has no type information

_QUERY = "select relname from pg_class where oid = {}"
_NORMAL = fingerprint(_QUERY.format("?"))


class _Reports:
    """A service's telemetry and what it says of its database."""

    def __init__(self) -> None:
        self.transport = MemoryTransport()
        self.telemetry = Telemetry(Node(name="shop-1", service="shop"), self.transport, window=3_600.0)

    def rows(self) -> dict[tuple[str, str], dict[Outcome, float]]:
        """Outcomes by operation and statement."""
        self.telemetry.stop()
        (batch,) = [sent.record for sent in self.transport.sent if isinstance(sent.record, TimingBatch)]
        assert batch.callee == "orders-db"
        columns = {
            Outcome.OK: batch.ok,
            Outcome.LOCAL: batch.error_local,
            Outcome.REJECTED: batch.rejected,
            Outcome.TIMEOUT: batch.timeout,
        }
        return {
            (batch.strings[int(batch.operation[i])], batch.strings[int(batch.statement[i])]): {
                outcome: column[i] for outcome, column in columns.items() if column[i]
            }
            for i in range(len(batch.operation))
        }


@pytest.fixture
def reports() -> _Reports:
    return _Reports()


def test_psycopg_statements_are_timed(postgres_pair: PostgresPair, reports: _Reports) -> None:
    with psycopg.connect(postgres_pair.primary_dsn, autocommit=True) as connection:
        timed_psycopg.instrument_connection(connection, reports.telemetry, callee="orders-db")
        assert connection.execute(_QUERY.format("%s"), [1259]).fetchone() == ("pg_class",)
        assert connection.execute(_QUERY.format("1259").encode()).fetchone() == ("pg_class",)
        connection.execute("create temporary table scratch (id integer primary key)")
        with connection.cursor() as cursor:
            cursor.executemany(SQL("insert into scratch values (%s)"), [(1,), (2,)])
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into scratch values (%s)", (1,))
        connection.execute("set statement_timeout = 10")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("select pg_sleep(10)")
    rows = reports.rows()
    assert rows["SELECT", _NORMAL] == {Outcome.OK: 2.0}
    assert rows["INSERT", fingerprint("insert into scratch values (?)")] == {Outcome.OK: 2.0}
    assert rows["SELECT", fingerprint("select pg_sleep(?)")] == {Outcome.TIMEOUT: 1.0}


async def test_asynchronous_psycopg_statements_are_timed(postgres_pair: PostgresPair, reports: _Reports) -> None:
    async with await psycopg.AsyncConnection.connect(postgres_pair.primary_dsn, autocommit=True) as connection:
        await timed_psycopg.instrument_async_connection(connection, reports.telemetry, callee="orders-db")
        cursor = await connection.execute(_QUERY.format("%s"), [1259])
        assert await cursor.fetchone() == ("pg_class",)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connection.execute("select pg_sleep(10)")
    rows = reports.rows()
    assert rows["SELECT", _NORMAL] == {Outcome.OK: 1.0}
    assert rows["SELECT", fingerprint("select pg_sleep(?)")] == {Outcome.TIMEOUT: 1.0}


async def test_asyncpg_statements_are_timed_in_a_pool(postgres_pair: PostgresPair, reports: _Reports) -> None:
    init = timed_asyncpg.query_timer(reports.telemetry, callee="orders-db")
    async with asyncpg.create_pool(postgres_pair.primary_dsn, min_size=1, max_size=2, init=init) as pool:
        for _ in range(3):
            assert await pool.fetchval(_QUERY.format("$1"), 1259) == "pg_class"
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.fetch("select * from missing")
        with pytest.raises(asyncpg.QueryCanceledError):
            await pool.execute("set statement_timeout = 10; select pg_sleep(10)")
    rows = reports.rows()
    assert rows["SELECT", _NORMAL] == {Outcome.OK: 3.0}
    assert rows["SELECT", fingerprint("select * from missing")] == {Outcome.OK: 1.0}
    assert rows["SET", fingerprint("set statement_timeout = 10; select pg_sleep(10)")] == {Outcome.TIMEOUT: 1.0}


def test_sqlalchemy_tells_a_time_out_from_a_failure(postgres_pair: PostgresPair, reports: _Reports) -> None:
    engine = create_engine(postgres_pair.primary_dsn.replace("postgresql://", "postgresql+psycopg://"))
    instrument_engine(engine, reports.telemetry, callee="orders-db")
    with engine.connect() as connection, attempt(0):
        assert connection.scalar(text(_QUERY.format(":oid")), {"oid": 1259}) == "pg_class"
        connection.execute(text("set statement_timeout = 10"))
        with pytest.raises(OperationalError):
            connection.execute(text("select pg_sleep(10)"))
    engine.dispose()
    rows = reports.rows()
    assert rows["SELECT", fingerprint("select pg_sleep(?)")] == {Outcome.TIMEOUT: 1.0}
    assert {Outcome.OK: 1.0} in rows.values()


def test_the_servers_own_statistics_show_the_same_fingerprint(postgres_pair: PostgresPair, reports: _Reports) -> None:
    with psycopg.connect(postgres_pair.primary_dsn, autocommit=True) as connection:
        connection.execute("create extension if not exists pg_stat_statements")
        connection.execute("select pg_stat_statements_reset()")
        timed_psycopg.instrument_connection(connection, reports.telemetry, callee="orders-db")
        connection.execute("select relname from pg_class where relname = 'it''s' and oid in (17, 18)")
        shown = connection.execute("select query from pg_stat_statements").fetchall()
    ours = {statement for _, statement in reports.rows()}
    assert ours & {fingerprint(query) for (query,) in shown}
