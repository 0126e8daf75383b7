"""Guarded pools of SQLite connections: whatever way a connection takes, its call ends."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import Pool, QueuePool, SingletonThreadPool, StaticPool

from snowshed.consumers import Guard, Outcome
from snowshed.consumers.integrations.sqlalchemy import guarded_pool, report_failures


@pytest.mark.parametrize("pool", [QueuePool, StaticPool, SingletonThreadPool])
def test_a_connection_that_is_lent_twice_at_once_leaves_no_call_in_flight(pool: type[Pool]) -> None:
    guard = Guard("orders-db")
    engine = create_engine("sqlite://", poolclass=guarded_pool(guard, pool))
    with engine.connect() as outer, engine.connect() as inner:
        assert outer.scalar(text("select 1")) == inner.scalar(text("select 1")) == 1
        assert guard.stats.in_flight >= 1
    assert guard.stats.in_flight == 0
    engine.dispose()


def test_a_detached_connection_ends_its_call_and_its_errors_are_its_own() -> None:
    guard = Guard("orders-db")
    engine = create_engine("sqlite://", poolclass=guarded_pool(guard, QueuePool))
    report_failures(engine)
    with engine.connect() as connection:
        connection.detach()
        assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1}
        with pytest.raises(OperationalError, match="missing"):
            connection.execute(text("select * from missing"))
    assert guard.stats.in_flight == 0
    engine.dispose()
