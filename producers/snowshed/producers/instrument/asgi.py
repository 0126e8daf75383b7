"""Times the requests an ASGI application serves and hands their context to the calls made for them.

::

    app = TelemetryMiddleware(app, telemetry)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from snowshed.producers.inbound import Inbound, serving
from snowshed.producers.instrument.http_server import Failing, begin, origin_headers, queue_delay, route, with_root
from snowshed.producers.instrument.http_status import outcome_of_status
from snowshed.producers.recorder import Call
from snowshed.producers.telemetry import Telemetry
from snowshed.schemas.propagation import parse_raw, use_context

__all__ = ["TelemetryMiddleware", "queue_delay_from", "route_of"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def route_of(scope: Scope) -> str:
    """Method and path, with segments that look like identifiers replaced, since reports need few distinct names."""
    return route(scope["method"], scope["path"])


def queue_delay_from(headers: Iterable[tuple[bytes, bytes]], now: float) -> float | None:
    """Seconds since the time in the `x-request-start` header that proxies set; None without a believable one."""
    return queue_delay(next((value for name, value in headers if name == b"x-request-start"), b""), now)


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
        call = begin(self._telemetry, operation, context)
        delay = queue_delay_from(scope["headers"], time.time())
        if delay is None:
            _measure_loop(call)
        else:
            call.queue_delay = delay
        with use_context(with_root(context, operation)), serving() as inbound, Failing(call, inbound):
            await self._app(scope, receive, _Response(call, inbound, send))
            call.end()


class _Response:
    """Ends the call when the response begins."""

    def __init__(self, call: Call, inbound: Inbound, send: Send) -> None:
        self._call = call
        self._inbound = inbound
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._call.outcome = outcome = outcome_of_status(
                message["status"], downstream=self._inbound.dependency_failed
            )
            headers = [(name.encode(), value.encode()) for name, value in origin_headers(outcome)]
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
            self._call.end()
        await self._send(message)


def _measure_loop(call: Call) -> None:
    started = time.monotonic()

    def came_round() -> None:
        call.queue_delay = time.monotonic() - started

    asyncio.get_running_loop().call_soon(came_round)
