"""A connection to one PostgreSQL server in which no wait lasts for ever; the only module that needs psycopg."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from threading import Lock, Timer
from typing import Any

from snowshed.producers.collectors.postgres.dsn import redact
from snowshed.producers.collectors.statements.own import marked
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable

__all__ = ["QueryFailed", "Session"]

_TIMEOUT = 3.0
_CONNECTION = {
    "application_name": "snowshed-agent",
    "connect_timeout": "3",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
_APPLY = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS setting (name, value)"
_MISSING = "collecting from PostgreSQL needs psycopg: pip install 'snowshed[postgres]'"


class QueryFailed(ServerUnavailable):
    """The server could not be reached or refused a statement.

    Args:
        message: what happened, where.
        sqlstate: the server's five-character code, empty if it said nothing.
    """

    def __init__(self, message: str, sqlstate: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


def _parsed(owner: str, dsn: str) -> dict[str, Any]:
    """The parameters in a connection string."""
    try:
        from psycopg import Error, conninfo  # noqa: PLC0415 - the extra `postgres`
    except ImportError as error:
        raise ConfigurationError(_MISSING) from error
    try:
        parameters = conninfo.conninfo_to_dict(dsn)
    except Error:
        parameters = None
    # Messages quote what libpq could not read or find, and an unescaped password ends up in these parts.
    if parameters is None or not _plausible(parameters):
        raise ConfigurationError(
            f"{owner}: {redact(dsn)!r} is no connection string; write postgresql://user@host:5432/database with "
            "special characters percent-encoded, or host=… port=… dbname=… user=…"
        )
    return parameters


def _plausible(parameters: Mapping[str, Any]) -> bool:
    port = str(parameters.get("port") or "").replace(",", "")
    names = f"{parameters.get('host')}{parameters.get('dbname')}"
    return (not port or port.isdecimal()) and "@" not in names


class Session:
    """Runs statements on one server, connecting when there is a need; safe to share between threads.

    Args:
        server: what the server is called in messages.
        dsn: libpq connection string; what it leaves open is set to short time-outs.
        settings: server settings of the session, such as `default_transaction_read_only`.
        timeout: seconds an answer may take.

    Raises:
        ConfigurationError: the connection string cannot be read, or psycopg is not installed; the message shows no
            part of it that may be secret.
    """

    def __init__(self, server: str, dsn: str, settings: Mapping[str, str], *, timeout: float = _TIMEOUT) -> None:
        self._server = f"{server} ({redact(dsn)})"
        self._parameters = {**_CONNECTION, **_parsed(server, dsn)}
        self._settings = {"statement_timeout": f"{timeout * 0.8:.3f}s", **settings}
        self._timeout = timeout
        self._connection: Any = None
        self._one_at_a_time = Lock()

    def open(self) -> None:
        """Connect unless connected, so that the next query takes no longer than its answer.

        Raises:
            QueryFailed: the server cannot be reached.
        """
        self.query("")

    def query(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows a statement returns, none if it returns no rows; each statement is committed by itself.

        Raises:
            QueryFailed: no connection, no answer in time, or a refusal; the connection is given up unless the server
                merely refused.
        """
        with self._one_at_a_time:
            return self._query(statement, parameters)

    def close(self) -> None:
        """Give up the connection; the next query makes another."""
        with self._one_at_a_time:
            self._drop()

    def _query(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        from psycopg import Error  # noqa: PLC0415 - the extra `postgres`

        try:
            if self._connection is None:
                self._connection = self._connect()
            return self._execute(marked(statement).encode(), parameters)
        except Error as error:
            if self._connection is None or self._connection.broken or error.sqlstate is None:
                self._drop()
            raise QueryFailed(self._explained(error), error.sqlstate or "") from None

    def _connect(self) -> Any:
        from psycopg import connect, conninfo  # noqa: PLC0415 - the extra `postgres`

        where = conninfo.make_conninfo(**self._parameters)
        connection: Any = connect(where, autocommit=True, prepare_threshold=None)
        with ExitStack() as undo:
            undo.callback(connection.close)
            with _severed_after(connection.fileno(), self._timeout):
                connection.execute(marked(_APPLY).encode(), (list(self._settings), list(self._settings.values())))
            undo.pop_all()
        return connection

    def _execute(self, statement: bytes, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        with _severed_after(self._connection.fileno(), self._timeout):
            cursor = self._connection.execute(statement, parameters)
            return [] if cursor.description is None else cursor.fetchall()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _explained(self, error: Exception) -> str:
        text = " ".join(str(error).split())
        for name in ("password", "sslpassword"):
            secret = self._parameters.get(name)
            text = text.replace(str(secret), "***") if secret else text
        return f"{self._server}: {text}"


@contextmanager
def _severed_after(fileno: int, seconds: float) -> Generator[None]:
    """Cut a socket off if the block takes longer: a server that was stopped acknowledges bytes and never answers."""
    timer = Timer(seconds, _sever, [fileno])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _sever(fileno: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(fileno)) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
