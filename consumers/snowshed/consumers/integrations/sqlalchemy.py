"""A Guard in front of a SQLAlchemy 2 engine's pool.

::

    engine = create_engine(dsn, poolclass=guarded_pool(guard))
    engine = create_async_engine(dsn, poolclass=guarded_pool(guard, AsyncAdaptedQueuePool))
    report_failures(engine)
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, Pool, PoolProxiedConnection, QueuePool

from snowshed.consumers.guard import Guard
from snowshed.consumers.integrations.ending import EndedBy
from snowshed.consumers.integrations.sqlstate import settle_error
from snowshed.consumers.permit import Permit

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["guarded_pool", "report_failures"]

_KEY = "snowshed_permit"


def guarded_pool(guard: Guard, pool: type[Pool] = QueuePool) -> type[Pool]:
    """A pool class that asks the guard before it lends a connection, so what is refused takes no place and no wait.

    The call lasts until the connection is given back or detached, thus as long as the unit of work; statements
    within it are not refused, because a transaction that is stopped half way is work wasted. `Rejected` is raised
    as it is.

    Args:
        guard: the guard of the database.
        pool: the pool class to build on.
    """

    class GuardedPool(pool):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            event.listen(self, "checkin", _given_back)  # codespell:ignore checkin - SQLAlchemy's name
            event.listen(self, "detach", _given_back)

        def connect(self) -> PoolProxiedConnection:
            permit = guard("connect")
            with ExitStack() as undo:
                undo.callback(permit.ignored)
                undo.enter_context(EndedBy(partial(_refused, permit)))
                connection: PoolProxiedConnection = super().connect()
                # A pool of one connection lends it again before it is back: that is one call, whose permit it has.
                if connection.record_info.setdefault(_KEY, permit) is permit:  # type: ignore[union-attr]
                    undo.pop_all()
            return connection

    return GuardedPool


def report_failures(engine: Engine | AsyncEngine) -> None:
    """Lets a statement that times out or fails decide how its connection's call ended.

    Args:
        engine: an engine with a guarded pool.
    """
    event.listen(engine if isinstance(engine, Engine) else engine.sync_engine, "handle_error", _failed)


def _refused(permit: Permit, error: Exception) -> None:
    if isinstance(error, PoolTimeout):
        permit.dropped()
    settle_error(permit, error)


def _given_back(_connection: Any, record: ConnectionPoolEntry) -> None:
    permit: Permit | None = record.record_info.pop(_KEY, None)  # type: ignore[union-attr]
    if permit is not None:
        permit.succeeded()


def _failed(context: ExceptionContext) -> None:
    if context.connection is None or context.connection.invalidated:
        return
    # A connection that has been detached from its pool belongs to no record, and its call has ended.
    permit: Permit | None = (context.connection.connection.record_info or {}).get(_KEY)
    if permit is not None:
        settle_error(permit, context.original_exception)
