"""Times the requests a WSGI application serves and hands their context to the calls made for them.

::

    app.wsgi_app = TelemetryMiddleware(app.wsgi_app, telemetry)  # Flask
    application = TelemetryMiddleware(get_wsgi_application(), telemetry)  # Django
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from snowshed.producers.inbound import Inbound, serving
from snowshed.producers.instrument.http_server import Failing, begin, origin_headers, queue_delay, route, with_root
from snowshed.producers.instrument.http_status import outcome_of_status
from snowshed.producers.recorder import Call
from snowshed.producers.telemetry import Telemetry
from snowshed.schemas.propagation import CallContext, parse_environ, use_context

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["TelemetryMiddleware", "route_of"]

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None


def route_of(environ: WSGIEnvironment) -> str:
    """Method and path, with segments that look like identifiers replaced, since reports need few distinct names."""
    return route(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))


class TelemetryMiddleware:
    """Reports every request, from the callee's end, as a call from whoever sent it.

    A request lasts until the first part of its response has been made, so that streams are neither held up nor counted
    as slow. Its queue delay is measured from the time a proxy noted. A failed response gets a header that says whether
    this service or one behind it is at fault.

    Args:
        app: the application.
        telemetry: where requests are reported.
        operation: what a request asks for; few distinct values.
    """

    def __init__(
        self, app: WSGIApplication, telemetry: Telemetry, *, operation: Callable[[WSGIEnvironment], str] = route_of
    ) -> None:
        self._app = app
        self._telemetry = telemetry
        self._operation = operation

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        operation = self._operation(environ)
        context = parse_environ(environ, time.monotonic())
        call = begin(self._telemetry, operation, context)
        written: str = environ.get("HTTP_X_REQUEST_START", "")
        call.queue_delay = queue_delay(written.encode("latin-1", "replace"), time.time()) or 0.0
        request = _Request(call, with_root(context, operation), start_response)
        with request.working():
            return _Body(self._app(environ, request.start), request)


class _Request:
    """One request being served, in pieces: each in its context."""

    def __init__(self, call: Call, context: CallContext, start_response: StartResponse) -> None:
        self._call = call
        self._context = context
        self._start_response = start_response
        self._inbound = Inbound()
        self._status = 500

    @contextmanager
    def working(self) -> Generator[None]:
        """A piece of the work; an error that leaves it ends the call."""
        with use_context(self._context), serving(self._inbound), Failing(self._call, self._inbound):
            yield

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: _ExcInfo = None, /) -> Any:
        """What the application calls to begin its response."""
        self._status = int(status[:3])
        outcome = outcome_of_status(self._status, downstream=self._inbound.dependency_failed)
        return self._start_response(status, [*headers, *origin_headers(outcome)], exc_info)

    def answered(self) -> None:
        """Ends the call by the response's status, unless it has ended."""
        self._call.outcome = outcome_of_status(self._status, downstream=self._inbound.dependency_failed)
        self._call.end()


class _Body:
    """The response's parts, each made in the context of its request."""

    def __init__(self, response: Iterable[bytes], request: _Request) -> None:
        self._response = response
        self._parts: Iterator[bytes] = iter(response)
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._request.working():
            part = next(self._parts, None)
            self._request.answered()
        if part is None:
            raise StopIteration
        return part

    def close(self) -> None:
        """What a server calls in any case, also when its client has gone or wants no body."""
        close = getattr(self._response, "close", None)
        with self._request.working():
            if close is not None:
                close()
            self._request.answered()
