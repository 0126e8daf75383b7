"""A Guard for every host that an httpx client calls."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import cast

import httpx

from snowshed.consumers.integrations.hosts import HostGuards
from snowshed.consumers.integrations.refused import hear
from snowshed.consumers.integrations.status import settle
from snowshed.schemas.propagation import CALLER, call_context, emit

__all__ = ["AsyncGuardTransport", "GuardTransport", "HostGuards"]


class GuardTransport(httpx.BaseTransport):
    """Refuses requests with `Rejected` before they are sent, by the guard of their host.

    Attempt and class come from the propagation context and travel in request headers, as do the caller and the time
    left; a request with an attempt above 0 is charged to the host's retry budget, unless `Guard.retry_allowed` has
    charged it already. A call lasts until the response's body has been read or closed. A request's time-outs are cut to
    what its permit allows, the decided time-out and the time left, and so is the time for all of the body.
    """

    def __init__(self, transport: httpx.BaseTransport, guards: HostGuards) -> None:
        self._transport = transport
        self._guards = guards

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request if the guard admits it."""
        call = _Call(self._guards, request)
        with call.working():
            response = self._transport.handle_request(request)
            if call.goes_on(response):
                response.stream = _Body(response, call)
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
        call = _Call(self._guards, request)
        with call.working():
            response = await self._transport.handle_async_request(request)
            if call.goes_on(response):
                response.stream = _AsyncBody(response, call)
            return response

    async def aclose(self) -> None:
        """Closes the wrapped transport."""
        await self._transport.aclose()


class _Call:
    """One admitted request, until its response has been read or closed."""

    def __init__(self, guards: HostGuards, request: httpx.Request) -> None:
        now = time.monotonic()
        caller = guards.caller or request.headers.get(CALLER, "")  # telemetry outside may know it
        request.headers.update(emit(call_context(), caller=caller, now=now))
        self._request = request
        self._status = 0
        self._guard = guards.of(request.url.host)
        self._permit = self._guard(f"{request.method} {request.url.path}")
        timeout = self._permit.timeout
        self._until = None if timeout is None else now + timeout
        _bound(request, timeout)

    @contextmanager
    def working(self) -> Generator[None]:
        """A piece of the call; an error that leaves it ends it."""
        with ExitStack() as failing:
            failing.push(self._failed)
            yield
            failing.pop_all()

    def _failed(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, httpx.TimeoutException):
            self._permit.dropped()
        elif not isinstance(error, GeneratorExit):  # of which the caller reads no further, and will close
            self._permit.__exit__(kind, error, traceback)

    def goes_on(self, response: httpx.Response) -> bool:
        """Whether there is a body to read; the call ends if not."""
        hear(self._guard, response.headers)
        self._status = response.status_code
        goes_on = not response.is_closed and response.status_code != HTTPStatus.SWITCHING_PROTOCOLS
        if not goes_on:
            self.end()
        return goes_on

    def check_time(self) -> None:
        """What httpx itself lacks: a time-out for a whole request.

        Raises:
            httpx.ReadTimeout: the call has taken longer than it may.
        """
        if self._until is not None and time.monotonic() > self._until:
            raise httpx.ReadTimeout("the response's body has not come in time", request=self._request)

    def end(self) -> None:
        """Ends the call by the response's status, unless it has ended."""
        settle(self._permit, self._status)


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpx.Response, call: _Call) -> None:
        self._stream = cast("httpx.SyncByteStream", response.stream)
        self._call = call

    def __iter__(self) -> Generator[bytes]:
        with self._call.working():
            for part in self._stream:
                self._call.check_time()
                yield part
        self._call.end()

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._call.end()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response, call: _Call) -> None:
        self._stream = cast("httpx.AsyncByteStream", response.stream)
        self._call = call

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        with self._call.working():
            async for part in self._stream:
                self._call.check_time()
                yield part
        self._call.end()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._call.end()


def _bound(request: httpx.Request, timeout: float | None) -> None:
    """Cut each of the request's time-outs; httpx has none for the whole request."""
    if timeout is not None:
        given: dict[str, float | None] = request.extensions.get("timeout", {})
        bounded = {name: min(timeout, given.get(name) or timeout) for name in ("connect", "read", "write", "pool")}
        request.extensions = {**request.extensions, "timeout": bounded}
