"""A Guard in front of a WSGI application: Flask, Django, Pyramid, Bottle.

::

    app.wsgi_app = GuardMiddleware(app.wsgi_app, guard)  # Flask
    application = GuardMiddleware(get_wsgi_application(), guard)  # Django
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any

from snowshed.consumers.admission.decided import Refusal
from snowshed.consumers.guard import Guard
from snowshed.consumers.integrations.refused import (
    EXEMPT_PATHS,
    ExemptPaths,
    advertised,
    body_of,
    headers_of,
    status_of,
)
from snowshed.consumers.integrations.status import settle
from snowshed.consumers.permit import Permit
from snowshed.schemas.propagation import CallContext, parse_environ, use_context

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["GuardMiddleware"]

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None


class GuardMiddleware:
    """Admits requests by their propagated class and attempt, before the application is called.

    A refused request gets 429, or 503 when its class is degraded away, with `Retry-After` and a small JSON body. The
    propagated context is set for the application, so that guarded calls it makes inherit it. A request counts as in
    flight until its response has been read to the end or is closed; one closed half way says nothing of load.

    Args:
        app: the application.
        guard: the guard of this service.
        exempt_paths: paths that are never refused; a path below one of them counts too.
    """

    def __init__(self, app: WSGIApplication, guard: Guard, *, exempt_paths: Iterable[str] = EXEMPT_PATHS) -> None:
        self._app = app
        self._guard = guard
        self._exempt = ExemptPaths(exempt_paths)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serves one request."""
        context = parse_environ(environ, time.monotonic())
        # A server hands over the path's bytes as if they were Latin-1 (PEP 3333).
        path: str = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        with use_context(context):
            answer = self._guard.try_admit(f"{environ['REQUEST_METHOD']} {path}", exempt=path in self._exempt)
            if isinstance(answer, Permit):
                return self._serve(_Served(answer, context, self._guard, start_response), environ)
        return _refuse(answer, self._guard, environ, start_response)

    def _serve(self, served: _Served, environ: WSGIEnvironment) -> Iterable[bytes]:
        with ExitStack() as undo:
            undo.push(served.permit)
            response = self._app(environ, served.start)
            body = _Body(response, served)
            undo.pop_all()
        return body


class _Served:
    """One admitted request."""

    def __init__(self, permit: Permit, context: CallContext, guard: Guard, start_response: StartResponse) -> None:
        self.permit = permit
        self.context = context
        self._guard = guard
        self._start_response = start_response
        self._status = 500

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: _ExcInfo = None, /) -> Any:
        """What the application calls to begin its response."""
        self._status = int(status[:3])
        return self._start_response(status, [*headers, *advertised(self._guard).items()], exc_info)

    def settle(self) -> None:
        """Ends the permit by the response's status."""
        settle(self.permit, self._status)


class _Body:
    """The response's parts, each made in the context of its request; their end is the request's."""

    def __init__(self, response: Iterable[bytes], served: _Served) -> None:
        self._response = response
        self._parts: Iterator[bytes] = iter(response)
        self._served = served
        self._begun = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._begun = True
        with ExitStack() as failing:
            failing.push(self._served.permit)  # an exception decides how the call ends
            with use_context(self._served.context):
                part = next(self._parts, None)
            failing.pop_all()
        if part is None:
            self._served.settle()
            raise StopIteration
        return part

    def close(self) -> None:
        """What a server calls in any case, also when its client has gone or wants no body."""
        with ExitStack() as last:
            last.callback(self._end)
            close = getattr(self._response, "close", None)
            if close is not None:
                with use_context(self._served.context):
                    close()

    def _end(self) -> None:
        if self._begun:
            self._served.permit.ignored()
        else:
            self._served.settle()


def _refuse(refusal: Refusal, guard: Guard, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    body = body_of(refusal, guard)
    status = HTTPStatus(status_of(refusal))
    headers = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        *headers_of(refusal, guard).items(),
    ]
    start_response(f"{status.value} {status.phrase}", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
