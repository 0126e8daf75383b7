"""A Guard for aiohttp, on either side.

::

    app = web.Application(middlewares=[guard_middleware(guard)])
    session = aiohttp.ClientSession(middlewares=(ClientGuard(guards),))
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, web
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

    The caller, the attempt, the class and the time left travel in request headers. The answer's headers must come
    within what the permit allows: the decided time-out and the time left.

    Args:
        guards: the guards by host; their `caller` is the service that calls.
    """

    def __init__(self, guards: HostGuards) -> None:
        self._guards = guards

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Sends a request if the guard admits it; a time-out is a `TimeoutError` and ends the permit as dropped."""
        guard = self._guards.of(request.url.host or "")
        with guard(f"{request.method} {request.url.path}") as permit:
            request.headers.update(emit(call_context(), caller=self._guards.caller, now=time.monotonic()))
            async with asyncio.timeout(permit.timeout):
                response = await handler(request)
            hear(guard, response.headers)
            settle(permit, response.status)
            return response
