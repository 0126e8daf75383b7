"""Times an httpx client's calls and tells the callee on whose behalf they are made.

::

    client = httpx.AsyncClient(transport=AsyncTelemetryTransport(httpx.AsyncHTTPTransport(), telemetry))
"""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from snowshed.producers.instrument.http_status import outcome_of_status
from snowshed.producers.outcome import Outcome, outcome_of
from snowshed.producers.recorder import Call
from snowshed.producers.telemetry import Telemetry
from snowshed.schemas.propagation import ORIGIN, call_context, emit

__all__ = ["AsyncTelemetryTransport", "TelemetryTransport", "host_of", "method_of"]


def host_of(request: httpx.Request) -> str:
    """The request's host name: the callee where hosts are named after services."""
    return request.url.host


def method_of(request: httpx.Request) -> str:
    """The request's method: the operation where nothing better is known, since paths carry identifiers."""
    return request.method


class _Timer:
    def __init__(
        self,
        telemetry: Telemetry,
        callee: str | Callable[[httpx.Request], str],
        operation: Callable[[httpx.Request], str],
    ) -> None:
        self._telemetry = telemetry
        self._callee = callee
        self._operation = operation

    def begin(self, request: httpx.Request) -> Call:
        callee = self._callee if isinstance(self._callee, str) else self._callee(request)
        headers = emit(call_context(), caller=self._telemetry.service, now=time.monotonic())
        request.headers.update(headers)
        return self._telemetry.recorder.call(callee, self._operation(request)).begin()


class TelemetryTransport(httpx.BaseTransport):
    """Wraps a transport: a call lasts until the response's headers have arrived.

    Args:
        transport: what carries the requests.
        telemetry: where calls are reported.
        callee: the service called, or how to tell it from a request.
        operation: what is asked of it; few distinct values.
    """

    def __init__(
        self,
        transport: httpx.BaseTransport,
        telemetry: Telemetry,
        *,
        callee: str | Callable[[httpx.Request], str] = host_of,
        operation: Callable[[httpx.Request], str] = method_of,
    ) -> None:
        self._transport = transport
        self._timer = _Timer(telemetry, callee, operation)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request and time it."""
        call = self._timer.begin(request)
        with _Failing(call):
            response = self._transport.handle_request(request)
        _finish(call, response)
        return response

    def close(self) -> None:
        """Close the wrapped transport."""
        self._transport.close()


class AsyncTelemetryTransport(httpx.AsyncBaseTransport):
    """As `TelemetryTransport`, for asynchronous clients.

    Args:
        transport: what carries the requests.
        telemetry: where calls are reported.
        callee: the service called, or how to tell it from a request.
        operation: what is asked of it; few distinct values.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        telemetry: Telemetry,
        *,
        callee: str | Callable[[httpx.Request], str] = host_of,
        operation: Callable[[httpx.Request], str] = method_of,
    ) -> None:
        self._transport = transport
        self._timer = _Timer(telemetry, callee, operation)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request and time it."""
        call = self._timer.begin(request)
        with _Failing(call):
            response = await self._transport.handle_async_request(request)
        _finish(call, response)
        return response

    async def aclose(self) -> None:
        """Close the wrapped transport."""
        await self._transport.aclose()


def _finish(call: Call, response: httpx.Response) -> None:
    downstream = response.headers.get(ORIGIN) == Outcome.DOWNSTREAM.value
    call.outcome = outcome_of_status(response.status_code, downstream=downstream)
    call.end()


class _Failing:
    """Ends a call with the error that leaves the block; the error goes on."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            call = self._call
            call.outcome = Outcome.TIMEOUT if isinstance(error, httpx.TimeoutException) else outcome_of(error)
            call.end(error)
