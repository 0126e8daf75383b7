"""Times the statements of asyncpg connections.

::

    pool = await asyncpg.create_pool(dsn, init=query_timer(telemetry, callee="orders-db"))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from snowshed.producers.instrument.fingerprint import fingerprint, statement_kind
from snowshed.producers.instrument.sqlstate import outcome_of_sqlstate
from snowshed.producers.outcome import Outcome, outcome_of
from snowshed.producers.telemetry import Telemetry
from snowshed.schemas.propagation import call_context

__all__ = ["instrument_connection", "query_timer"]


def instrument_connection(connection: Any, telemetry: Telemetry, *, callee: str) -> None:
    """Report every statement of this connection as a call to `callee`.

    Args:
        connection: an `asyncpg.Connection`; for a pool use `query_timer`.
        telemetry: where calls are reported.
        callee: the database's name in the fleet.
    """
    recorder = telemetry.recorder

    def finished(logged: Any) -> None:
        recorder.observe(
            callee,
            statement_kind(logged.query),
            logged.elapsed,
            outcome=_outcome(logged.exception),
            attempt=call_context().attempt,
            statement=fingerprint(logged.query),
        )

    connection.add_query_logger(finished)


def query_timer(telemetry: Telemetry, *, callee: str) -> Callable[[Any], Awaitable[None]]:
    """An `init` function for `asyncpg.create_pool` that instruments each of the pool's connections."""

    async def init(connection: Any) -> None:
        instrument_connection(connection, telemetry, callee=callee)

    return init


def _outcome(error: BaseException | None) -> Outcome:
    code = getattr(error, "sqlstate", None)
    return outcome_of_sqlstate(code) if code else outcome_of(error)
