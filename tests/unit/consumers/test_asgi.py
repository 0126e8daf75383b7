"""The ASGI middleware in front of a small application, called through httpx."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpx
import pytest
from asgi_lifespan import LifespanManager

from snowshed.consumers import Brake, Guard, Outcome
from snowshed.consumers.integrations.asgi import GuardMiddleware
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
