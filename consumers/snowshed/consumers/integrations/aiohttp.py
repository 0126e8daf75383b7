"""A Guard for aiohttp, on either side.

::

    app = web.Application(middlewares=[guard_middleware(guard)])
    session = aiohttp.ClientSession(middlewares=(ClientGuard(guards),))
"""

from __future__ import annotations

import asyncio
import sys
import time
import weakref
from collections.abc import Iterable
from contextlib import ExitStack
from http import HTTPStatus

from aiohttp import ClientHandlerType, ClientPayloadError, ClientRequest, ClientResponse, web
from aiohttp.typedefs import Handler, Middleware

from snowshed.consumers.guard import Guard
from snowshed.consumers.integrations.hosts import HostGuards
from snowshed.consumers.integrations.refused import (
    EXEMPT_PATHS,
    ExemptPaths,
    advertised,
    body_of,
    headers_of,
    hear,
    status_of,
)
from snowshed.consumers.integrations.status import settle
from snowshed.consumers.permit import Permit
from snowshed.schemas.propagation import call_context, emit, parse_raw, use_context

__all__ = ["ClientGuard", "guard_middleware"]


def guard_middleware(guard: Guard, *, exempt_paths: Iterable[str] = EXEMPT_PATHS) -> Middleware:
    """Admits an application's requests by their propagated class and attempt; list it first.

    A refused request gets 429, or 503 when its class is degraded away, with `Retry-After` and a small JSON body. The
    propagated context is set for the handler, so that guarded calls it makes inherit it.

    Args:
        guard: the guard of this service.
        exempt_paths: paths that are never refused; a path below one of them counts too.
    """
    exempt = ExemptPaths(exempt_paths)

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        with use_context(parse_raw(request.raw_headers, time.monotonic())):
            answer = guard.try_admit(f"{request.method} {request.path}", exempt=request.path in exempt)
            if isinstance(answer, Permit):
                return await _serve(answer, guard, request, handler)
        return web.Response(
            status=status_of(answer),
            headers=headers_of(answer, guard),
            body=body_of(answer, guard),
            content_type="application/json",
        )

    return admit


async def _serve(permit: Permit, guard: Guard, request: web.Request, handler: Handler) -> web.StreamResponse:
    ours = advertised(guard)
    with permit:
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            answer.headers.update(ours)
            settle(permit, answer.status)
            raise
        if not response.prepared:  # the headers of a stream are on their way
            response.headers.update(ours)
        settle(permit, response.status)
        return response


class ClientGuard:
    """A client middleware that refuses requests with `Rejected` before they are sent, by the guard of their host.

    The caller, the attempt, the class and the time left travel in request headers. A call lasts until the answer's body
    has been read or closed, and must end within what the permit allows: the decided time-out and the time left. Of a
    WebSocket the handshake alone is a call.

    Args:
        guards: the guards by host; their `caller` is the service that calls.
    """

    def __init__(self, guards: HostGuards) -> None:
        self._guards = guards

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Sends a request if the guard admits it; a time-out is a `TimeoutError` and ends the permit as dropped."""
        guard = self._guards.of(request.url.host or "")
        permit = guard(f"{request.method} {request.url.path}")
        with ExitStack() as undo:
            undo.push(permit)
            until = None if permit.timeout is None else asyncio.get_running_loop().time() + permit.timeout
            request.headers.update(emit(call_context(), caller=self._guards.caller, now=time.monotonic()))
            async with asyncio.timeout_at(until):
                response = await handler(request)
            hear(guard, response.headers)
            if response.connection is None or response.status == HTTPStatus.SWITCHING_PROTOCOLS:
                settle(permit, response.status)  # the body has come with the headers, or there is none
            else:
                response.connection.add_callback(_Reading(permit, response, until).ended)
            undo.pop_all()
        return response


class _Reading:
    """The rest of a call whose answer has begun; it does not keep the response."""

    def __init__(self, permit: Permit, response: ClientResponse, until: float | None) -> None:
        self._permit = permit
        self._status = response.status
        self._response = weakref.ref(response)
        self._timer = None if until is None else asyncio.get_running_loop().call_at(until, self._too_late)

    def _too_late(self) -> None:
        response = self._response()
        if response is not None:
            self._permit.dropped()
            response.content.set_exception(TimeoutError("the answer's body has not come in time"))
            response.close()

    def ended(self) -> None:
        """The connection has been given back: the body has been read to its end, or not.

        Also the collector of garbage comes here, in any thread; to end a permit takes no lock.
        """
        if self._timer is not None:
            self._timer.cancel()
        response = self._response()
        if response is not None and response.content.is_eof():
            settle(self._permit, self._status)
        else:
            errors = (sys.exception(), None if response is None else response.content.exception())
            _settle_half_read(self._permit, self._status, errors)


def _settle_half_read(permit: Permit, status: int, errors: tuple[BaseException | None, ...]) -> None:
    if any(isinstance(error, TimeoutError | asyncio.CancelledError) for error in errors):
        permit.dropped()
    elif any(isinstance(error, ClientPayloadError) for error in errors):
        permit.failed()
    else:  # its caller had seen enough
        settle(permit, status)
