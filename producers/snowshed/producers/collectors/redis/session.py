"""A connection to one Redis server in which no wait lasts for ever; the only module that needs redis-py."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

from snowshed.producers.collectors.address import Address
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable

__all__ = ["COMMANDS", "CommandFailed", "Session", "heartbeat_key"]

_TIMEOUT = 3.0
_PORT = 6379
_OPTIONS = frozenset({"ssl_ca_certs"})
_MISSING = "collecting from Redis needs redis-py: pip install 'snowshed[redis]'"
COMMANDS = "~snowshed:* +hset +hincrby +hgetall +info +multi +exec +ping"
"""What the agent's user may do, in the words of ACL SETUSER."""


def heartbeat_key(dataset: str) -> str:
    """The key of a dataset's marker; in a cluster its braces place it by the dataset."""
    return f"snowshed:heartbeat:{{{dataset}}}"


class CommandFailed(ServerUnavailable):
    """The server could not be reached or refused a command.

    Args:
        message: what happened, where.
        code: the first word of the server's refusal, such as `READONLY`; empty if it said nothing.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Session:
    """Sends commands to one server, connecting when there is a need; safe to share between threads.

    Args:
        server: what the server is called in messages.
        url: `redis://user:password@host:port/database`, or `rediss://` for TLS, with the option `ssl_ca_certs`.
        timeout: seconds an answer may take.

    Raises:
        ConfigurationError: the address cannot be read, or redis-py is not installed.
    """

    def __init__(self, server: str, url: str, *, timeout: float = _TIMEOUT) -> None:
        self._address = Address.parse(server, url, ("redis", "rediss"), _OPTIONS)
        if self._address.path and not self._address.path.isdecimal():
            raise ConfigurationError(f"{server}: the path of its address must be the number of a database, such as /0")
        self._driver = _driver()
        self._server = f"{server} ({self._address})"
        self._timeout = timeout
        self._client: Any = None
        self._one_at_a_time = Lock()

    def run(self, *commands: Sequence[object], together: bool = False) -> list[Any]:
        """The answers to commands sent at once, as one transaction where they belong together.

        Raises:
            CommandFailed: no connection, no answer in time, or a refusal.
            ConfigurationError: the user may not do it; the message has the command to run.
        """
        with self._one_at_a_time:
            return self._run(commands, together=together)

    def close(self) -> None:
        """Give up the connection; the next command makes another."""
        with self._one_at_a_time:
            self._drop()

    def _run(self, commands: Sequence[Sequence[object]], *, together: bool) -> list[Any]:
        try:
            if self._client is None:
                self._client = self._made()
            pipeline = self._client.pipeline(transaction=together)
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = pipeline.execute()
        except (self._driver.RedisError, OSError) as error:
            if not isinstance(error, self._driver.ResponseError):
                self._drop()
            raise self._explained(error) from None
        return answers

    def _made(self) -> Any:
        from redis.backoff import NoBackoff  # noqa: PLC0415 - the extra `redis`
        from redis.retry import Retry  # noqa: PLC0415 - as above

        address = self._address
        tls = {"ssl_ca_certs": address.options["ssl_ca_certs"]} if "ssl_ca_certs" in address.options else {}
        return self._driver.Redis(
            host=address.host,
            port=address.port or _PORT,
            db=int(address.path or 0),
            username=address.user or None,
            password=address.password or None,
            ssl=address.scheme == "rediss",
            **tls,
            socket_timeout=self._timeout,
            socket_connect_timeout=self._timeout,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            max_connections=1,
        )

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _explained(self, error: Exception) -> Exception:
        text = self._address.hidden(" ".join(str(error).split()))
        message = f"{self._server}: {text}"
        if isinstance(error, self._driver.AuthenticationError):
            return ConfigurationError(f"{message}. Put the right user and password into the server's address")
        if isinstance(error, self._driver.exceptions.NoPermissionError):
            return ConfigurationError(f"{message}. Run: ACL SETUSER {self._address.user or 'default'} {COMMANDS}")
        return CommandFailed(message, _code(error, self._driver))


def _code(error: Exception, driver: Any) -> str:
    if isinstance(error, driver.ReadOnlyError):
        return "READONLY"
    return str(error).partition(" ")[0] if isinstance(error, driver.ResponseError) else ""


def _driver() -> Any:
    try:
        import redis  # noqa: PLC0415 - the extra `redis`
    except ImportError as error:
        raise ConfigurationError(_MISSING) from error
    return redis
