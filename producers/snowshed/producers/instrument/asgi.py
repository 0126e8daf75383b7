"""Times the requests an ASGI application serves and hands their context to the calls made for them.

::

    app = TelemetryMiddleware(app, telemetry)
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import replace
from typing import Any

from snowshed.producers.inbound import Inbound, serving
from snowshed.producers.instrument.http_status import outcome_of_status
from snowshed.producers.outcome import Outcome, outcome_of
from snowshed.producers.recorder import Call
from snowshed.producers.telemetry import Telemetry
from snowshed.schemas.propagation import ORIGIN, CallContext, parse_raw, use_context
from snowshed.schemas.records import Vantage

__all__ = ["TelemetryMiddleware", "queue_delay_from", "route_of"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_UNKNOWN = "unknown"
_LONGEST_ROUTE = 100
_LONGEST_QUEUE = 3_600.0
_IDENTIFIER = re.compile(r"(?<=/)(?:\d[^/]*|[0-9a-fA-F-]{16,}|[^/]{33,})(?=/|$)")
# Proxies write seconds, milliseconds or microseconds since the epoch; no two of these ranges overlap this century.
_UNITS = ((1e8, 1e11, 1.0), (1e11, 1e14, 1e-3), (1e14, 1e17, 1e-6))
_FAULT = frozenset({Outcome.LOCAL, Outcome.DOWNSTREAM})


def route_of(scope: Scope) -> str:
    """Method and path, with segments that look like identifiers replaced, since reports need few distinct names."""
    path = _IDENTIFIER.sub("{id}", scope["path"][: 4 * _LONGEST_ROUTE])
    return f"{scope['method']} {path}"[:_LONGEST_ROUTE]


def queue_delay_from(headers: Iterable[tuple[bytes, bytes]], now: float) -> float | None:
    """Seconds since the time in the `x-request-start` header that proxies set; None without a believable one."""
    value = next((value for name, value in headers if name == b"x-request-start"), b"")
    try:
        stamp = float(value.removeprefix(b"t="))
    except ValueError:
        return None
    for low, high, unit in _UNITS:
        if low <= stamp < high:
            delay = now - stamp * unit
            return max(0.0, delay) if delay < _LONGEST_QUEUE else None
    return None


class TelemetryMiddleware:
    """Reports every request, from the callee's end, as a call from whoever sent it.

    A request lasts until its response begins, so that streams are neither held up nor counted as slow. Its queue
    delay is measured from the time a proxy noted, else it is what the event loop took to come round once. A failed
    response gets a header that says whether this service or one behind it is at fault.

    Args:
        app: the application.
        telemetry: where requests are reported.
        operation: what a request asks for; few distinct values.
    """

    def __init__(self, app: App, telemetry: Telemetry, *, operation: Callable[[Scope], str] = route_of) -> None:
        self._app = app
        self._telemetry = telemetry
        self._operation = operation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but an HTTP request is passed on as it is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        operation = self._operation(scope)
        context = parse_raw(scope["headers"], time.monotonic())
        call = self._begin(scope, operation, context)
        inherited = context if context.root_api else replace(context, root_api=operation)
        with use_context(inherited), serving() as inbound, _Ending(call, inbound):
            await self._app(scope, receive, _Response(call, inbound, send))

    def _begin(self, scope: Scope, operation: str, context: CallContext) -> Call:
        call = self._telemetry.recorder.call(
            self._telemetry.service,
            operation,
            caller=context.caller or _UNKNOWN,
            attempt=context.attempt,
            vantage=Vantage.CALLEE,
        ).begin()
        delay = queue_delay_from(scope["headers"], time.time())
        if delay is None:
            _measure_loop(call)
        else:
            call.queue_delay = delay
        return call


class _Ending:
    """Ends a call with its block, by the error that leaves it if there is one; the error goes on."""

    __slots__ = ("_call", "_inbound")

    def __init__(self, call: Call, inbound: Inbound) -> None:
        self._call = call
        self._inbound = inbound

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            self._call.outcome = _outcome(error, self._inbound)
        self._call.end()


class _Response:
    """Ends the call when the response begins."""

    def __init__(self, call: Call, inbound: Inbound, send: Send) -> None:
        self._call = call
        self._inbound = inbound
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            outcome = outcome_of_status(message["status"], downstream=self._inbound.dependency_failed)
            if outcome in _FAULT:
                origin = (ORIGIN.encode(), outcome.value.encode())
                message = {**message, "headers": [*message.get("headers", ()), origin]}
            self._call.outcome = outcome
            self._call.end()
        await self._send(message)


def _outcome(error: BaseException, inbound: Inbound) -> Outcome:
    outcome = outcome_of(error)
    # A cancelled request was given up by its sender, and a rejected one refused on purpose: no dependency did that.
    blameless = outcome is Outcome.REJECTED or not isinstance(error, Exception)
    return Outcome.DOWNSTREAM if inbound.dependency_failed and not blameless else outcome


def _measure_loop(call: Call) -> None:
    started = time.monotonic()

    def came_round() -> None:
        call.queue_delay = time.monotonic() - started

    asyncio.get_running_loop().call_soon(came_round)
