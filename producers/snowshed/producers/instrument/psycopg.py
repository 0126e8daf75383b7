"""Times the statements of psycopg 3 connections.

::

    instrument_connection(connection, telemetry, callee="orders-db")
    pool = ConnectionPool(dsn, configure=partial(instrument_connection, telemetry=telemetry, callee="orders-db"))
"""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection, Connection, Error
from psycopg.sql import Composable

from snowshed.producers.instrument.fingerprint import fingerprint, statement_kind
from snowshed.producers.instrument.sqlstate import outcome_of_sqlstate
from snowshed.producers.outcome import Outcome, outcome_of
from snowshed.producers.recorder import Call
from snowshed.producers.telemetry import Telemetry

__all__ = ["instrument_async_connection", "instrument_connection"]


def instrument_connection(connection: Connection[Any], telemetry: Telemetry, *, callee: str) -> None:
    """Report every statement of this connection's client-side cursors as a call to `callee`.

    Args:
        connection: whose `cursor_factory` is replaced by a subclass of itself.
        telemetry: where calls are reported.
        callee: the database's name in the fleet.
    """
    base = connection.cursor_factory

    class TimedCursor(base):  # type: ignore[misc, valid-type] # pyright: ignore[reportGeneralTypeIssues, reportUntypedBaseClass]
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            with _Timed(telemetry, callee, query):
                return super().execute(query, *args, **kwargs)

        def executemany(self, query: Any, *args: Any, **kwargs: Any) -> None:
            with _Timed(telemetry, callee, query):
                super().executemany(query, *args, **kwargs)

    connection.cursor_factory = TimedCursor


async def instrument_async_connection(connection: AsyncConnection[Any], telemetry: Telemetry, *, callee: str) -> None:
    """As `instrument_connection`, for asynchronous connections; a coroutine so that a pool can take it as `configure`.

    Args:
        connection: whose `cursor_factory` is replaced by a subclass of itself.
        telemetry: where calls are reported.
        callee: the database's name in the fleet.
    """
    base = connection.cursor_factory

    class TimedCursor(base):  # type: ignore[misc, valid-type] # pyright: ignore[reportGeneralTypeIssues, reportUntypedBaseClass]
        async def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            with _Timed(telemetry, callee, query):
                return await super().execute(query, *args, **kwargs)

        async def executemany(self, query: Any, *args: Any, **kwargs: Any) -> None:
            with _Timed(telemetry, callee, query):
                await super().executemany(query, *args, **kwargs)

    connection.cursor_factory = TimedCursor


class _Timed:
    """Times one statement and lets the server's error code decide how it ended."""

    def __init__(self, telemetry: Telemetry, callee: str, query: Any) -> None:
        statement = _text(query)
        self._call: Call = telemetry.recorder.call(callee, statement_kind(statement), statement=fingerprint(statement))

    def __enter__(self) -> None:
        self._call.begin()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._call.outcome = _outcome(error) if error is not None else None
        self._call.end(error)


def _text(query: Any) -> str:
    if isinstance(query, Composable):
        return query.as_string()
    return query.decode(errors="replace") if isinstance(query, bytes) else str(query)


def _outcome(error: BaseException) -> Outcome:
    code = error.sqlstate if isinstance(error, Error) else None
    return outcome_of_sqlstate(code) if code else outcome_of(error)
