"""The ASGI middleware in front of a small application, called through httpx."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
from asgi_lifespan import LifespanManager

from snowshed.consumers import Brake, Guard, Outcome
from snowshed.consumers.integrations.asgi import GuardMiddleware
from snowshed.consumers.integrations.refused import ExemptPaths
from snowshed.consumers.testing import decision, in_memory_view
from snowshed.schemas.propagation import call_context
from snowshed.schemas.records import DecisionKind

_Message = MutableMapping[str, Any]


class _App:
    """Answers with the status in the path, and streams what it knows of the call."""

    def __init__(self) -> None:
        self.started = False

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self.started = True
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        name = scope["path"].strip("/")
        if name == "crash":
            raise RuntimeError(name)
        status = int(name) if name.isdigit() else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-app", b"1")]})
        await send({"type": "http.response.body", "body": b"attempt ", "more_body": True})
        await send({"type": "http.response.body", "body": str(call_context().attempt).encode()})


def _client(guard: Guard, app: _App | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(GuardMiddleware(app or _App(), guard))
    return httpx.AsyncClient(transport=transport, base_url="http://orders")


def _guard(kind: DecisionKind, **fields: Any) -> Guard:
    return Guard("orders", view=in_memory_view(decision("orders", kind, decision_id="d1", **fields)), rng=lambda: 0.5)


async def test_admitted_requests_reach_the_application_with_their_context() -> None:
    guard = _guard(DecisionKind.DEGRADE, degrade_level=1)
    async with _client(guard) as client:
        response = await client.get("/", headers={"Snowshed-Attempt": "1"})
    assert (response.status_code, response.text) == (200, "attempt 1")
    assert response.headers["snowshed-degrade-level"] == "1"
    assert response.headers["x-app"] == "1"
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1}


async def test_a_refused_request_gets_429_with_retry_after_and_the_decision() -> None:
    async with _client(_guard(DecisionKind.BREAKER, p_reject=1.0)) as client:
        response = await client.get("/")
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert response.json() == {
        "error": "rejected",
        "scope": "orders",
        "reason": "the breaker refuses 100% of calls",
        "retry_after": 1.0,
        "decision_id": "d1",
    }


async def test_a_degraded_class_gets_503() -> None:
    async with _client(_guard(DecisionKind.DEGRADE, degrade_level=3)) as client:
        refused = await client.get("/", headers={"snowshed-criticality": "3"})
        admitted = await client.get("/", headers={"snowshed-criticality": "0"})
    assert (refused.status_code, admitted.status_code) == (503, 200)
    assert refused.headers["snowshed-degrade-level"] == "3"


async def test_health_checks_are_never_refused() -> None:
    async with _client(_guard(DecisionKind.BREAKER, p_reject=1.0)) as client:
        statuses = [(await client.get(path)).status_code for path in ("/health", "/health/db", "/healthy")]
    assert statuses == [200, 200, 429]


def test_a_path_that_leads_out_of_an_exempt_one_is_not_exempt() -> None:
    exempt = ExemptPaths(("/health",))
    assert [path in exempt for path in ("/health/db", "/health/../orders", "/health/db/..")] == [True, False, False]


@pytest.mark.parametrize(
    ("path", "outcome"),
    [("/200", Outcome.SUCCEEDED), ("/404", Outcome.SUCCEEDED), ("/500", Outcome.IGNORED), ("/503", Outcome.DROPPED)],
)
async def test_the_status_decides_the_outcome(path: str, outcome: Outcome) -> None:
    guard = Guard("orders")
    async with _client(guard) as client:
        await client.get(path)
    assert guard.stats.outcomes == {outcome: 1}
    assert guard.stats.in_flight == 0


async def test_an_application_that_raises_releases_its_permit() -> None:
    guard = Guard("orders")
    async with _client(guard) as client:
        with pytest.raises(RuntimeError, match="crash"):
            await client.get("/crash")
    assert guard.stats.outcomes == {Outcome.IGNORED: 1}


async def test_retries_of_callers_are_held_to_the_budget() -> None:
    guard = _guard(DecisionKind.RETRY, retry_budget=0.0)
    async with _client(guard) as client:
        first = await client.get("/")
        retry = await client.get("/", headers={"snowshed-attempt": "1"})
    assert (first.status_code, retry.status_code) == (200, 429)
    assert guard.stats.rejected == {Brake.RETRY: 1}


async def test_lifespan_passes_through() -> None:
    app = _App()
    async with LifespanManager(GuardMiddleware(app, _guard(DecisionKind.BREAKER, p_reject=1.0))):
        assert app.started


class _Socket:
    """A WebSocket as a server hands it to the application."""

    def __init__(self, path: str = "/chat", *headers: tuple[bytes, bytes], denial: bool = False) -> None:
        extensions: dict[str, Any] = {"websocket.http.response": {}} if denial else {}
        self.scope = {"type": "websocket", "path": path, "headers": headers, "extensions": extensions}
        self.received = 0
        self.sent: list[_Message] = []

    async def receive(self) -> _Message:
        self.received += 1
        return {"type": "websocket.connect"}

    async def send(self, message: _Message) -> None:
        self.sent.append(message)

    async def open(self, guard: Guard, app: Any) -> None:
        await GuardMiddleware(app, guard)(self.scope, self.receive, self.send)


async def test_a_websocket_counts_until_its_handshake_is_answered() -> None:
    guard = Guard("orders")
    seen: list[Any] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        seen.append((guard.stats.in_flight, call_context().attempt, call_context().deadline))
        await send({"type": "websocket.accept"})
        seen.append(guard.stats.in_flight)
        await send({"type": "websocket.close"})

    socket = _Socket("/chat", (b"snowshed-attempt", b"1"), (b"snowshed-deadline", b"5000"))
    await socket.open(guard, app)
    assert seen == [(1, 1, None), 0]
    assert [message["type"] for message in socket.sent] == ["websocket.accept", "websocket.close"]
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1}


async def test_a_refused_websocket_is_closed_or_gets_the_answer_that_its_server_can_give() -> None:
    async def never(_scope: Any, _receive: Any, _send: Any) -> None:
        raise AssertionError

    guard = _guard(DecisionKind.BREAKER, p_reject=1.0)
    closed, denied = _Socket(), _Socket(denial=True)
    await closed.open(guard, never)
    await denied.open(guard, never)
    assert (closed.received, closed.sent) == (1, [{"type": "websocket.close"}])
    start, body = denied.sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 429)
    assert dict(start["headers"])[b"retry-after"] == b"1"
    assert body["type"] == "websocket.http.response.body"
    assert guard.stats.rejected == {Brake.BREAKER: 2}


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ({"type": "websocket.close"}, Outcome.SUCCEEDED),
        ({"type": "websocket.http.response.start", "status": 503, "headers": []}, Outcome.DROPPED),
        (None, Outcome.IGNORED),
    ],
)
async def test_what_becomes_of_the_handshake_decides_the_outcome(message: Any, outcome: Outcome) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        if message is None:
            raise ZeroDivisionError
        await send(message)

    guard = Guard("orders")
    with nullcontext() if message else pytest.raises(ZeroDivisionError):
        await _Socket().open(guard, app)
    assert guard.stats.outcomes == {outcome: 1}


async def test_a_websocket_at_an_exempt_path_is_never_refused() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    socket = _Socket("/health/live")
    await socket.open(_guard(DecisionKind.BREAKER, p_reject=1.0), app)
    assert socket.sent == [{"type": "websocket.accept"}]
