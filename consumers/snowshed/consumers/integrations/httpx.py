"""A Guard for every host that an httpx client calls."""

from __future__ import annotations

import httpx

from snowshed.consumers.integrations.hosts import HostGuards
from snowshed.consumers.integrations.refused import hear
from snowshed.consumers.integrations.status import settle

__all__ = ["AsyncGuardTransport", "GuardTransport", "HostGuards"]


class GuardTransport(httpx.BaseTransport):
    """Refuses requests with `Rejected` before they are sent, by the guard of their host.

    Attempt and class come from the propagation context; a request with an attempt above 0 is charged to the host's
    retry budget, unless `Guard.retry_allowed` has charged it already. A request's time-outs are cut to what its permit
    allows: the decided time-out and the time left.
    """

    def __init__(self, transport: httpx.BaseTransport, guards: HostGuards) -> None:
        self._transport = transport
        self._guards = guards

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request if the guard admits it."""
        guard = self._guards.of(request.url.host)
        with guard(_operation(request)) as permit:
            _bound(request, permit.timeout)
            try:
                response = self._transport.handle_request(request)
            except httpx.TimeoutException:
                permit.dropped()
                raise
            hear(guard, response.headers)
            settle(permit, response.status_code)
            return response

    def close(self) -> None:
        """Closes the wrapped transport."""
        self._transport.close()


class AsyncGuardTransport(httpx.AsyncBaseTransport):
    """`GuardTransport` for `httpx.AsyncClient`."""

    def __init__(self, transport: httpx.AsyncBaseTransport, guards: HostGuards) -> None:
        self._transport = transport
        self._guards = guards

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request if the guard admits it."""
        guard = self._guards.of(request.url.host)
        with guard(_operation(request)) as permit:
            _bound(request, permit.timeout)
            try:
                response = await self._transport.handle_async_request(request)
            except httpx.TimeoutException:
                permit.dropped()
                raise
            hear(guard, response.headers)
            settle(permit, response.status_code)
            return response

    async def aclose(self) -> None:
        """Closes the wrapped transport."""
        await self._transport.aclose()


def _bound(request: httpx.Request, timeout: float | None) -> None:
    """Cut each of the request's time-outs; httpx has none for the whole request."""
    if timeout is not None:
        given: dict[str, float | None] = request.extensions.get("timeout", {})
        bounded = {name: min(timeout, given.get(name) or timeout) for name in ("connect", "read", "write", "pool")}
        request.extensions = {**request.extensions, "timeout": bounded}


def _operation(request: httpx.Request) -> str:
    return f"{request.method} {request.url.path}"
