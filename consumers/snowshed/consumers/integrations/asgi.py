"""A Guard in front of an ASGI application: Starlette, FastAPI, Litestar, Django."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import replace
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

_METHODS = {"http": "", "websocket": "WEBSOCKET"}
"""What is admitted, and how it is called where it has no method of its own."""


class GuardMiddleware:
    """Admits HTTP requests and the opening of WebSockets by their propagated class and attempt.

    A refused request gets 429, or 503 when its class is degraded away, with `Retry-After` and a small JSON body. The
    propagated context is set for the application, so that guarded calls it makes inherit it.

    Of a WebSocket the handshake alone is a call: a connection that stays open for hours is none, and its messages are
    the application's to ask the guard about. What the application does on it has no deadline. A refused one gets the
    same answer where the server can give it, else the handshake is closed, which servers answer with 403.

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
        if scope["type"] not in _METHODS:
            await self._app(scope, receive, send)
            return
        with use_context(parse_raw(scope["headers"], time.monotonic())) as context:
            path: str = scope["path"]
            method = scope.get("method", _METHODS[scope["type"]])
            answer = self._guard.try_admit(f"{method} {path}", exempt=path in self._exempt)
            if isinstance(answer, Refusal):
                refuse = _refuse if scope["type"] == "http" else _refuse_websocket
                await refuse(answer, self._guard, scope, receive, send)
            elif scope["type"] == "http":
                await self._serve(answer, scope, receive, send)
            else:
                with use_context(replace(context, deadline=None)):
                    await self._open(answer, scope, receive, send)

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

    async def _open(self, permit: Permit, scope: _Scope, receive: _Receive, send: _Send) -> None:
        async def send_noticed(message: _Message) -> None:
            await send(message)
            if message["type"] == "websocket.http.response.start":
                settle(permit, message["status"])
            else:  # it is accepted, or the application turned it away
                permit.succeeded()

        with permit:
            await self._app(scope, receive, send_noticed)


async def _refuse(refusal: Refusal, guard: Guard, _scope: _Scope, _receive: _Receive, send: _Send) -> None:
    await _answer(refusal, guard, send, "http.response")


async def _refuse_websocket(refusal: Refusal, guard: Guard, scope: _Scope, receive: _Receive, send: _Send) -> None:
    await receive()  # it says that the client wants to connect, and nothing else
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _answer(refusal, guard, send, "websocket.http.response")
    else:
        await send({"type": "websocket.close"})


async def _answer(refusal: Refusal, guard: Guard, send: _Send, kind: str) -> None:
    body = body_of(refusal, guard)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *((name.encode(), value.encode()) for name, value in headers_of(refusal, guard).items()),
    ]
    await send({"type": f"{kind}.start", "status": status_of(refusal), "headers": headers})
    await send({"type": f"{kind}.body", "body": body})
