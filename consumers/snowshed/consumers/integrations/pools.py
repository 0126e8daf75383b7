"""A Guard around a connection that a pool lends: psycopg_pool, asyncpg, or any other that lends in a `with` block.

::

    with acquire(guard, pool.connection()) as connection:  # psycopg_pool
    async with acquire_async(guard, pool.acquire()) as connection:  # asyncpg

No pool's library is imported: what they raise is told by its `sqlstate`, or by its name where the pool itself gave up.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import TypeVar

from snowshed.consumers.guard import Guard
from snowshed.consumers.integrations.ending import EndedBy
from snowshed.consumers.integrations.sqlstate import settle_error

__all__ = ["acquire", "acquire_async"]

_T = TypeVar("_T")


@contextmanager
def acquire(guard: Guard, lent: AbstractContextManager[_T]) -> Generator[_T]:
    """Lends a connection if the guard admits it: what is refused takes no place in the pool.

    Args:
        guard: the guard of the database.
        lent: what the pool returned, not yet entered.

    Raises:
        Rejected: a brake refused the call.
    """
    with guard("acquire") as permit, EndedBy(partial(settle_error, permit)), lent as connection:
        yield connection


@asynccontextmanager
async def acquire_async(guard: Guard, lent: AbstractAsyncContextManager[_T]) -> AsyncGenerator[_T]:
    """As `acquire`, for asynchronous pools.

    Args:
        guard: the guard of the database.
        lent: what the pool returned, not yet entered.

    Raises:
        Rejected: a brake refused the call.
    """
    with guard("acquire") as permit, EndedBy(partial(settle_error, permit)):
        async with lent as connection:
            yield connection
