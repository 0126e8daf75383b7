"""A connection to one MySQL or MariaDB server in which no wait lasts for ever; the only module that needs PyMySQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from threading import Lock
from typing import Any

from snowshed.producers.collectors.address import Address
from snowshed.producers.instrument.fingerprint import fingerprint
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable

__all__ = ["QueryFailed", "Session"]

_TIMEOUT = 3.0
_PORT = 3306
_OPTIONS = frozenset({"unix_socket", "read_default_file", "ssl_ca"})
_CLIENT_ERRORS = range(2000, 3000)
_SETTINGS = ("SET SESSION lock_wait_timeout = 1, innodb_lock_wait_timeout = 1", "SET SESSION time_zone = '+00:00'")
_MISSING = "collecting from MySQL needs PyMySQL: pip install 'snowshed[mysql]'"
_ENCRYPT = "pip install 'PyMySQL[rsa]', or add ?ssl_ca=FILE to the address, for a password that is never sent in clear"


class QueryFailed(ServerUnavailable):
    """The server could not be reached or refused a statement.

    Args:
        message: what happened, where.
        code: the server's number for it, 0 if it said nothing.
    """

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class Session:
    """Runs statements on one server, connecting when there is a need; safe to share between threads.

    Args:
        server: what the server is called in messages.
        url: `mysql://user:password@host:port/schema`, with the options `unix_socket`, `ssl_ca` and `read_default_file`,
            which names an option file that has the password; the schema is for those who ask for it.
        writes: whether statements may change data.
        timeout: seconds an answer may take.

    Raises:
        ConfigurationError: the address cannot be read, or PyMySQL is not installed.
    """

    def __init__(self, server: str, url: str, *, writes: bool = False, timeout: float = _TIMEOUT) -> None:
        self._address = Address.parse(server, url, ("mysql", "mariadb"), _OPTIONS)
        self._driver = _driver()
        self._server = f"{server} ({self._address})"
        self._settings = _SETTINGS if writes else (*_SETTINGS, "SET SESSION TRANSACTION READ ONLY")
        self._timeout = timeout
        self._connection: Any = None
        self._one_at_a_time = Lock()
        self.mariadb = False
        """Whether the server is a MariaDB; known once it has answered."""
        self.schema = self._address.path
        """The schema that the address names, or the empty string."""
        self.fingerprints: set[str] = set()
        """Of the statements that were run, which are few."""

    def query(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows a statement returns, none if it returns no rows; each statement is committed by itself.

        Raises:
            QueryFailed: no connection, no answer in time, or a refusal; the connection is given up unless the server
                merely refused.
        """
        with self._one_at_a_time:
            return [tuple(row.values()) for row in self._query(statement, parameters)]

    def table(self, statement: str) -> list[Mapping[str, Any]]:
        """The rows of a statement such as SHOW, whose columns differ from version to version, by column name."""
        with self._one_at_a_time:
            return self._query(statement, ())

    def open(self) -> None:
        """Connect unless connected, so that the next query takes no longer than its answer."""
        self.query("DO 0")

    def close(self) -> None:
        """Give up the connection; the next query makes another."""
        with self._one_at_a_time:
            self._drop()

    def _query(self, statement: str, parameters: Sequence[object]) -> list[Mapping[str, Any]]:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return self._execute(self._connection, statement, parameters)
        except (self._driver.MySQLError, OSError) as error:
            code, text = _said(error)
            if not code or code in _CLIENT_ERRORS:
                self._drop()
            raise QueryFailed(f"{self._server}: {self._address.hidden(text)}", code) from None
        except RuntimeError as error:
            self._drop()
            raise ConfigurationError(f"{self._server}: {self._address.hidden(str(error))}. {_ENCRYPT}") from None

    def _connect(self) -> Any:
        address, given = self._address, self._address.options
        tls = {"ssl_ca": given["ssl_ca"], "ssl_verify_cert": True} if "ssl_ca" in given else {}
        user = {"user": address.user} if address.user else {}
        connection = self._driver.connect(
            **user,
            **tls,
            host=address.host,
            port=address.port or _PORT,
            password=address.password,
            unix_socket=given.get("unix_socket"),
            read_default_file=given.get("read_default_file"),
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=self._timeout,
            read_timeout=self._timeout,
            write_timeout=self._timeout,
            program_name="snowshed-agent",
            cursorclass=self._driver.cursors.DictCursor,
        )
        with ExitStack() as undo:
            undo.callback(_abandon, connection)
            for setting in self._settings:
                self._execute(connection, setting, ())
            self.mariadb = "MariaDB" in connection.get_server_info()
            undo.pop_all()
        return connection

    def _execute(self, connection: Any, statement: str, parameters: Sequence[object]) -> list[Mapping[str, Any]]:
        self.fingerprints.add(fingerprint(statement))
        with connection.cursor() as cursor:
            cursor.execute(statement, tuple(parameters) or None)
            return list(cursor.fetchall()) if cursor.description else []

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            _abandon(connection)


def _driver() -> Any:
    try:
        import pymysql  # type: ignore[import-untyped]  # noqa: PLC0415 - the extra `mysql` has no types
        import pymysql.cursors  # type: ignore[import-untyped]  # noqa: PLC0415 - as above
    except ImportError as error:
        raise ConfigurationError(_MISSING) from error
    return pymysql


def _abandon(connection: Any) -> None:
    """Close without a farewell, which would wait for a server that is gone."""
    connection._force_close()  # noqa: SLF001 - the public `close` writes to the socket


def _said(error: Exception) -> tuple[int, str]:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = str(error.args[-1]) if error.args else type(error).__name__
    return (0 if isinstance(error, OSError) else code), " ".join(text.split())
