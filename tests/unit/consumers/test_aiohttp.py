"""The aiohttp middleware and client over a real loopback server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from snowshed.consumers import Brake, Guard, Outcome
from snowshed.consumers.integrations.aiohttp import ClientGuard, guard_middleware
from snowshed.consumers.integrations.hosts import HostGuards
from snowshed.consumers.testing import decision, in_memory_view
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import attempt, call_context
from snowshed.schemas.records import DecisionKind


async def _answer(request: web.Request) -> web.StreamResponse:
    """Answers with the status in the path and what it knows of the call."""
    name = request.path.strip("/")
    if name == "slow":
        await asyncio.sleep(30)
    if name == "crash":
        raise RuntimeError(name)
    if name == "gone":
        raise web.HTTPServiceUnavailable
    if name in {"drips", "breaks"}:
        response = web.StreamResponse(headers={"content-length": "8"})
        await response.prepare(request)
        await response.write(b"part")
        if name == "drips":
            await asyncio.sleep(30)
        request.transport.abort()  # type: ignore[union-attr]
        return response
    if name == "redirect":
        raise web.HTTPFound("/")
    if name == "stream":
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"part")
        return response
    context = call_context()
    return web.Response(status=int(name) if name.isdigit() else 200, text=f"{context.caller} {context.attempt}")


@asynccontextmanager
async def _served(guard: Guard, *middlewares: Any) -> AsyncGenerator[tuple[aiohttp.ClientSession, str]]:
    app = web.Application(middlewares=[guard_middleware(guard)])
    app.router.add_get("/{path:.*}", _answer)
    server = TestServer(app)
    await server.start_server()
    try:
        async with aiohttp.ClientSession(middlewares=middlewares) as session:
            yield session, str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


def _guard(kind: DecisionKind, **fields: Any) -> Guard:
    return Guard("orders", view=in_memory_view(decision("orders", kind, decision_id="d1", **fields)), rng=lambda: 0.5)


async def test_what_the_client_propagates_reaches_the_handler() -> None:
    guard = _guard(DecisionKind.DEGRADE, degrade_level=1)
    guards = HostGuards(caller="shop", scopes={"127.0.0.1": "orders"})
    async with _served(guard, ClientGuard(guards)) as (session, url):
        with attempt(1):
            response = await session.get(f"{url}/")
        assert (response.status, await response.text()) == (200, "shop 1")
        assert response.headers["snowshed-degrade-level"] == "1"
    assert guard.stats.outcomes == guards.of("127.0.0.1").stats.outcomes == {Outcome.SUCCEEDED: 1}


async def test_a_refused_request_gets_429_with_retry_after_and_the_decision() -> None:
    async with _served(_guard(DecisionKind.BREAKER, p_reject=1.0)) as (session, url):
        response = await session.get(f"{url}/")
        assert (response.status, response.headers["retry-after"]) == (429, "1")
        assert response.content_type == "application/json"
        assert (await response.json())["decision_id"] == "d1"
        assert (await session.get(f"{url}/health/db")).status == 200


async def test_a_degraded_class_gets_503() -> None:
    async with _served(_guard(DecisionKind.DEGRADE, degrade_level=3)) as (session, url):
        refused = await session.get(f"{url}/", headers={"snowshed-criticality": "3"})
        admitted = await session.get(f"{url}/", headers={"snowshed-criticality": "0"})
    assert (refused.status, admitted.status) == (503, 200)
    assert refused.headers["snowshed-degrade-level"] == "3"


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/404", Outcome.SUCCEEDED),
        ("/500", Outcome.IGNORED),
        ("/503", Outcome.DROPPED),
        ("/gone", Outcome.DROPPED),
        ("/crash", Outcome.IGNORED),
        ("/stream", Outcome.SUCCEEDED),
    ],
)
async def test_the_status_decides_the_outcome_on_both_sides(path: str, outcome: Outcome) -> None:
    guard, guards = Guard("orders"), HostGuards()
    async with _served(guard, ClientGuard(guards)) as (session, url):
        await (await session.get(f"{url}{path}")).read()
    assert guard.stats.outcomes == guards.of("127.0.0.1").stats.outcomes == {outcome: 1}
    assert guard.stats.in_flight == 0


async def test_a_client_refuses_before_it_sends() -> None:
    guard = Guard("orders")
    view = in_memory_view(decision("shop>o", DecisionKind.BREAKER, p_reject=1.0))
    guards = HostGuards(view, caller="shop", scopes={"127.0.0.1": "o"})
    async with _served(guard, ClientGuard(guards)) as (session, url):
        with pytest.raises(Rejected, match="call to o refused"):
            await session.get(f"{url}/")
    assert guard.stats.admitted == 0


async def test_a_time_out_is_dropped_and_a_refused_connection_ignored() -> None:
    guards = HostGuards()
    async with _served(Guard("orders"), ClientGuard(guards)) as (session, url):
        with pytest.raises(TimeoutError):
            await session.get(f"{url}/slow", timeout=aiohttp.ClientTimeout(sock_read=0.05))
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get("http://127.0.0.1:1/")
    assert guards.of("127.0.0.1").stats.outcomes == {Outcome.DROPPED: 1, Outcome.IGNORED: 1}


async def test_a_client_waits_no_longer_than_is_decided() -> None:
    guards = HostGuards(in_memory_view(decision("o", DecisionKind.RETRY, timeout=0.05)), scopes={"127.0.0.1": "o"})
    async with _served(Guard("orders"), ClientGuard(guards)) as (session, url):
        with pytest.raises(TimeoutError):
            await session.get(f"{url}/slow")
    assert guards.of("127.0.0.1").stats.outcomes == {Outcome.DROPPED: 1}


async def test_retries_of_callers_are_held_to_the_budget() -> None:
    guard = _guard(DecisionKind.RETRY, retry_budget=0.0)
    async with _served(guard) as (session, url):
        first = await session.get(f"{url}/")
        retry = await session.get(f"{url}/", headers={"snowshed-attempt": "1"})
    assert (first.status, retry.status) == (200, 429)
    assert guard.stats.rejected == {Brake.RETRY: 1}


async def test_a_call_lasts_until_its_answer_has_been_read() -> None:
    guards, go_on = HostGuards(), asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await go_on.wait()
        await response.write(b"whole")
        return response

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server, aiohttp.ClientSession(middlewares=(ClientGuard(guards),)) as session:
        response = await session.get(server.make_url("/"))
        assert guards.of("127.0.0.1").stats.in_flight == 1
        go_on.set()
        assert await response.text() == "whole"
        assert guards.of("127.0.0.1").stats.outcomes == {Outcome.SUCCEEDED: 1}


async def _ended(guard: Guard) -> dict[Outcome, int]:
    async with asyncio.timeout(10):
        while guard.stats.in_flight:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0)
    return dict(guard.stats.outcomes)


async def test_a_body_that_drips_takes_no_longer_than_is_decided() -> None:
    guards = HostGuards(in_memory_view(decision("o", DecisionKind.RETRY, timeout=0.1)), scopes={"127.0.0.1": "o"})
    async with _served(Guard("orders"), ClientGuard(guards)) as (session, url):
        response = await session.get(f"{url}/drips")
        with pytest.raises(TimeoutError):
            await response.read()
        async with session.get(f"{url}/drips") as response:
            with pytest.raises(TimeoutError):
                _ = [part async for part in response.content]
    assert await _ended(guards.of("127.0.0.1")) == {Outcome.DROPPED: 2}


async def test_a_body_that_its_caller_gives_up_is_dropped() -> None:
    guards = HostGuards()
    async with _served(Guard("orders"), ClientGuard(guards)) as (session, url):
        limit = aiohttp.ClientTimeout(total=0.1)
        with pytest.raises(TimeoutError):
            async with session.get(f"{url}/drips", timeout=limit) as response:
                await response.read()
        with pytest.raises(TimeoutError):
            async with session.get(f"{url}/drips") as response, asyncio.timeout(0.05):
                _ = [part async for part in response.content]
    assert await _ended(guards.of("127.0.0.1")) == {Outcome.DROPPED: 2}


async def test_a_body_that_breaks_off_says_nothing_of_load() -> None:
    guards = HostGuards()
    async with _served(Guard("orders"), ClientGuard(guards)) as (session, url):
        async with session.get(f"{url}/breaks") as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        assert await _ended(guards.of("127.0.0.1")) == {Outcome.IGNORED: 1}


async def test_a_body_that_nobody_reads_is_judged_by_its_status() -> None:
    guards = HostGuards()
    async with _served(Guard("orders"), ClientGuard(guards)) as (session, url):
        async with session.get(f"{url}/drips"):
            pass
        assert (await session.get(f"{url}/redirect")).status == 200
        assert await _ended(guards.of("127.0.0.1")) == {Outcome.SUCCEEDED: 3}
