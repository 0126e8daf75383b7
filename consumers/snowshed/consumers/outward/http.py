"""One HTTP request with a bound on its time: what goes out, what came back, or why nothing did."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan
from urllib.parse import SplitResult, urlsplit

from snowshed.schemas.errors import ConfigurationError, ServerUnavailable

__all__ = ["Answer", "Endpoint", "Lost", "Request", "Unreached"]

_SHOWN = 2_000
"""Bytes of an answer that are read and kept."""


class Unreached(ServerUnavailable):
    """The request cannot have been acted on: no connection was made."""


class Lost(ServerUnavailable):
    """The request was sent, or partly, and no answer came: it may have been acted on."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    method: str
    path: str
    """With its query; below the endpoint's own path."""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    """Its beginning, unless all of it was asked for."""
    retry_after: float = nan
    """Seconds after which the server wants to be asked again; NaN where it does not say."""

    @property
    def ok(self) -> bool:
        """Whether the server did what it was asked."""
        return 200 <= self.status < 300

    @property
    def passing(self) -> bool:
        """Whether asking again later may help."""
        return self.status in {408, 425, 429} or self.status >= 500

    def __str__(self) -> str:
        text = self.body[:200].decode(errors="replace").strip()
        return f"HTTP {self.status}{f': {text}' if text else ''}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that is asked, one connection a request.

    Args:
        url: `http://`, `https://` or `unix:///path/to/socket`; may itself be secret and is never shown whole.
        timeout: seconds for the whole request.
        context: how a server proves itself; the system's own rules where it is None.

    Raises:
        ConfigurationError: the address has another form.
    """

    url: str = field(repr=False)
    timeout: float = 10.0
    context: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        told = parts.path if parts.scheme == "unix" else parts.hostname
        if parts.scheme not in {"http", "https", "unix"} or not told:
            raise ConfigurationError("an address must begin with http://, https:// or unix:///")

    @property
    def place(self) -> str:
        """The server without path, query and credentials."""
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            return parts.path
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"

    def ask(self, request: Request, *, whole: bool = False) -> Answer:
        """Send a request and wait for its answer.

        Args:
            request: what is asked for.
            whole: whether all of the answer is wanted and not only its beginning.

        Raises:
            Unreached: no connection was made.
            Lost: the answer did not come in time, or not whole.
        """
        parts = urlsplit(self.url)
        connection = self._connection(parts)
        # A time-out of the socket bounds each step, and a server that answers byte by byte would never end.
        alarm = threading.Timer(self.timeout, _shut, [connection])
        alarm.daemon = True
        try:
            try:
                connection.connect()
            except OSError as error:
                raise Unreached(f"{self.place} cannot be reached: {error}") from error
            alarm.start()
            return self._exchange(connection, parts, request, whole=whole)
        finally:
            alarm.cancel()
            connection.close()

    def _exchange(
        self, connection: http.client.HTTPConnection, parts: SplitResult, request: Request, *, whole: bool
    ) -> Answer:
        base = "" if parts.scheme == "unix" else parts.path.rstrip("/")
        path = f"{base}{request.path}" or "/"
        if not request.path and parts.query:
            path = f"{path}?{parts.query}"
        try:
            connection.request(request.method, path, request.body or None, dict(request.headers))
            response = connection.getresponse()
            body = response.read() if whole else response.read(_SHOWN)
        except (OSError, http.client.HTTPException) as error:
            raise Lost(f"{self.place} gave no answer: {type(error).__name__}: {error}") from error
        return Answer(response.status, body, _seconds(response.headers.get("Retry-After", "")))

    def _connection(self, parts: SplitResult) -> http.client.HTTPConnection:
        if parts.scheme == "unix":
            return _UnixConnection(parts.path, self.timeout)
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = self.context or ssl.create_default_context()
            return http.client.HTTPSConnection(host, parts.port, timeout=self.timeout, context=context)
        return http.client.HTTPConnection(host, parts.port, timeout=self.timeout)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _shut(connection: http.client.HTTPConnection) -> None:
    held: socket.socket | None = connection.sock
    if held is not None:
        try:
            held.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has just ended by itself


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return nan
