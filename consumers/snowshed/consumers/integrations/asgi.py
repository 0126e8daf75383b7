"""A Guard in front of an ASGI application: Starlette, FastAPI, Litestar, Django."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

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
from snowshed.schemas.propagation import parse_raw, use_context

__all__ = ["GuardMiddleware"]

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class GuardMiddleware:
    """Admits HTTP requests by their propagated class and attempt; other protocols pass through.

    A refused request gets 429, or 503 when its class is degraded away, with `Retry-After` and a small JSON body. The
    propagated context is set for the application, so that guarded calls it makes inherit it.

    Args:
        app: the application.
        guard: the guard of this service.
        exempt_paths: paths that are never refused; a path below one of them counts too.
    """

    def __init__(self, app: _App, guard: Guard, *, exempt_paths: Iterable[str] = EXEMPT_PATHS) -> None:
        self._app = app
        self._guard = guard
        self._exempt = ExemptPaths(exempt_paths)

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serves one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with use_context(parse_raw(scope["headers"], time.monotonic())):
            path: str = scope["path"]
            answer = self._guard.try_admit(f"{scope['method']} {path}", exempt=path in self._exempt)
            if isinstance(answer, Permit):
                await self._serve(answer, scope, receive, send)
            else:
                await _refuse(answer, self._guard, send)

    async def _serve(self, permit: Permit, scope: _Scope, receive: _Receive, send: _Send) -> None:
        status = 500
        ours = [(name.encode(), value.encode()) for name, value in advertised(self._guard).items()]

        async def send_marked(message: _Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *ours]}
            await send(message)

        with permit:
            await self._app(scope, receive, send_marked)
            settle(permit, status)


async def _refuse(refusal: Refusal, guard: Guard, send: _Send) -> None:
    body = body_of(refusal, guard)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *((name.encode(), value.encode()) for name, value in headers_of(refusal, guard).items()),
    ]
    await send({"type": "http.response.start", "status": status_of(refusal), "headers": headers})
    await send({"type": "http.response.body", "body": body})
