"""Against SQLite, a real database within the process."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from snowshed.producers import MemoryTransport, Node, Telemetry
from snowshed.producers.instrument import fingerprint
from snowshed.producers.instrument.sqlalchemy import instrument_engine
from snowshed.schemas.propagation import attempt
from snowshed.schemas.records import TimingBatch


@pytest.fixture
def transport() -> MemoryTransport:
    return MemoryTransport()


@pytest.fixture
def telemetry(transport: MemoryTransport) -> Telemetry:
    return Telemetry(Node(name="shop-1", service="shop"), transport, window=3_600.0)


@pytest.fixture
def engine(telemetry: Telemetry) -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(text("create table orders (id integer primary key, name text)"))
    instrument_engine(engine, telemetry, callee="orders-db")
    yield engine
    engine.dispose()


def _report(telemetry: Telemetry, transport: MemoryTransport) -> TimingBatch:
    telemetry.stop()
    (sent,) = [sent for sent in transport.sent if sent.topic == "timings"]
    assert isinstance(sent.record, TimingBatch)
    return sent.record


def test_statements_are_counted_by_kind_and_fingerprint(
    engine: Engine, telemetry: Telemetry, transport: MemoryTransport
) -> None:
    with engine.begin() as connection:
        connection.execute(text("insert into orders (name) values (:name)"), [{"name": "a"}, {"name": "b"}])
        for number in range(3):
            connection.execute(text(f"select * from orders where id = {number}"))
    batch = _report(telemetry, transport)
    assert batch.callee == "orders-db"
    rows = {
        (batch.strings[int(operation)], batch.strings[int(statement)]): count
        for operation, statement, count in zip(batch.operation, batch.statement, batch.ok, strict=True)
    }
    assert rows == {
        ("INSERT", fingerprint("insert into orders (name) values (?)")): 1,
        ("SELECT", fingerprint("select * from orders where id = ?")): 3,
    }
    assert batch.in_flight_max == (1.0, 1.0)


def test_a_constraint_that_held_is_an_answer(engine: Engine, telemetry: Telemetry, transport: MemoryTransport) -> None:
    with engine.begin() as connection:
        connection.execute(text("insert into orders (id) values (1)"))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("insert into orders (id) values (1)"))
    assert _report(telemetry, transport).ok == (2.0,)


def test_an_operational_error_is_the_databases_failure(
    engine: Engine, telemetry: Telemetry, transport: MemoryTransport
) -> None:
    with pytest.raises(OperationalError), engine.begin() as connection:
        connection.execute(text("select * from missing"))
    batch = _report(telemetry, transport)
    assert (batch.ok, batch.error_local) == ((0.0,), (1.0,))


def test_a_listener_that_gives_up_waiting_is_a_time_out(
    engine: Engine, telemetry: Telemetry, transport: MemoryTransport
) -> None:
    def give_up(*_: object) -> None:
        raise TimeoutError

    event.listen(engine, "do_execute", give_up)
    with pytest.raises(TimeoutError), engine.begin() as connection:
        connection.execute(text("select 1"))
    assert _report(telemetry, transport).timeout == (1.0,)


def test_the_attempt_of_the_context_is_reported(
    engine: Engine, telemetry: Telemetry, transport: MemoryTransport
) -> None:
    with attempt(1), engine.begin() as connection:
        connection.execute(text("select 1"))
    batch = _report(telemetry, transport)
    assert (batch.first, batch.attempts) == ((0.0,), (1.0,))


def test_connections_in_different_threads_are_timed_apart(
    telemetry: Telemetry, transport: MemoryTransport, tmp_path: object
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/orders.db")
    instrument_engine(engine, telemetry, callee="orders-db")

    def work() -> None:
        for _ in range(20):
            with engine.connect() as connection:
                connection.execute(text("select 1"))

    async def together() -> None:
        await asyncio.gather(*(asyncio.to_thread(work) for _ in range(4)))

    asyncio.run(together())
    engine.dispose()
    assert _report(telemetry, transport).ok == (80.0,)
