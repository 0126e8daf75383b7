"""The httpx transports, over a transport that answers without a network."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from typing import Any

import httpx
import pytest

from snowshed.consumers import Guard, Outcome
from snowshed.consumers.integrations.httpx import AsyncGuardTransport, GuardTransport, HostGuards
from snowshed.consumers.testing import decision, in_memory_view
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import CallContext, attempt, use_context
from snowshed.schemas.records import DecisionKind


def _answer(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/slow":
        raise httpx.ReadTimeout("slow", request=request)
    if request.url.path == "/broken":
        raise httpx.ConnectError("broken", request=request)
    return httpx.Response(int(request.url.path.strip("/") or 200))


def _client(guards: HostGuards) -> httpx.Client:
    return httpx.Client(transport=GuardTransport(httpx.MockTransport(_answer), guards))


def test_each_host_has_its_guard_and_hosts_of_a_service_share_one() -> None:
    guards = HostGuards(in_memory_view(decision("orders", DecisionKind.BREAKER, p_reject=1.0)), scopes={"o2": "orders"})
    with _client(guards) as client:
        assert client.get("http://users/").status_code == 200
        for host in ("orders", "o2"):
            with pytest.raises(Rejected, match="call to orders"):
                client.get(f"http://{host}/")
    assert guards.of("o2") is guards.of("orders")


def test_retries_are_held_to_the_budget() -> None:
    guards = HostGuards()
    with _client(guards) as client, attempt(1):
        for _ in range(3):
            client.get("http://orders/")
        with pytest.raises(Rejected, match="retry budget"):
            client.get("http://orders/")


@pytest.mark.parametrize(
    ("path", "outcome"), [("/200", Outcome.SUCCEEDED), ("/429", Outcome.DROPPED), ("/500", Outcome.IGNORED)]
)
def test_the_status_decides_the_outcome(path: str, outcome: Outcome) -> None:
    guards = HostGuards()
    with _client(guards) as client:
        client.get(f"http://orders{path}")
    assert guards.of("orders").stats.outcomes == {outcome: 1}


def test_a_timeout_is_dropped_and_a_refused_connection_ignored() -> None:
    guards = HostGuards()
    with _client(guards) as client:
        for path, error in (("/slow", httpx.ReadTimeout), ("/broken", httpx.ConnectError)):
            with pytest.raises(error):
                client.get(f"http://orders{path}")
    assert guards.of("orders").stats.outcomes == {Outcome.DROPPED: 1, Outcome.IGNORED: 1}


def test_a_request_waits_no_longer_than_is_decided_and_left() -> None:
    seen: list[dict[str, float | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return httpx.Response(200)

    guards = HostGuards(in_memory_view(decision("orders", DecisionKind.RETRY, timeout=2.0)))
    with httpx.Client(transport=GuardTransport(httpx.MockTransport(answer), guards)) as client:
        client.get("http://orders/", timeout=httpx.Timeout(None, connect=1.0))
        client.get("http://users/", timeout=5.0)
        with use_context(CallContext(deadline=time.monotonic() + 0.5)):
            client.get("http://orders/")
    assert seen[0] == {"connect": 1.0, "read": 2.0, "write": 2.0, "pool": 2.0}
    assert set(seen[1].values()) == {5.0}
    assert 0.0 < (seen[2]["read"] or 0.0) <= 0.5


async def test_async_clients_are_guarded_too() -> None:
    guards = HostGuards(in_memory_view(decision("shop>orders", DecisionKind.BREAKER, p_reject=1.0)), caller="shop")
    transport = AsyncGuardTransport(httpx.MockTransport(_answer), guards)
    async with httpx.AsyncClient(transport=transport) as client:
        assert (await client.get("http://users/")).status_code == 200
        with pytest.raises(Rejected):
            await client.get("http://orders/")
        with pytest.raises(httpx.ReadTimeout):
            await client.get("http://users/slow")
    assert guards.of("users").stats.outcomes == {Outcome.SUCCEEDED: 1, Outcome.DROPPED: 1}


def test_guards_of_a_host_are_made_once() -> None:
    guards = HostGuards()
    assert isinstance(guards.of("orders"), Guard)
    assert guards.of("orders") is guards.of("orders")


class _Parts(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in parts, of which one that is an error is raised."""

    def __init__(self, *parts: bytes | Exception) -> None:
        self._parts = parts
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if isinstance(part, Exception):
                raise part
            yield part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


def _answering(body: _Parts, status: int = 200) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _request: httpx.Response(status, stream=body)


_BODIES = [
    ((b"one", b"two"), 200, None, Outcome.SUCCEEDED),
    ((b"one", b"two"), 503, None, Outcome.DROPPED),
    ((b"one", httpx.ReadTimeout("slow")), 200, httpx.ReadTimeout, Outcome.DROPPED),
    ((b"one", httpx.ReadError("gone")), 200, httpx.ReadError, Outcome.IGNORED),
]


@pytest.mark.parametrize(("parts", "status", "error", "outcome"), _BODIES)
def test_a_call_lasts_until_its_response_has_been_read(
    parts: tuple[Any, ...], status: int, error: type[Exception] | None, outcome: Outcome
) -> None:
    guards, body = HostGuards(), _Parts(*parts)
    transport = GuardTransport(httpx.MockTransport(_answering(body, status)), guards)
    with (
        httpx.Client(transport=transport) as client,
        nullcontext() if error is None else pytest.raises(error),
        client.stream("GET", "http://orders/") as response,
    ):
        assert guards.of("orders").stats.in_flight == 1
        response.read()
    assert guards.of("orders").stats.outcomes == {outcome: 1}
    assert body.closed == 1


@pytest.mark.parametrize(("parts", "status", "error", "outcome"), _BODIES)
async def test_an_asynchronous_call_lasts_until_its_response_has_been_read(
    parts: tuple[Any, ...], status: int, error: type[Exception] | None, outcome: Outcome
) -> None:
    guards, body = HostGuards(), _Parts(*parts)
    transport = AsyncGuardTransport(httpx.MockTransport(_answering(body, status)), guards)
    async with httpx.AsyncClient(transport=transport) as client:
        with nullcontext() if error is None else pytest.raises(error):
            async with client.stream("GET", "http://orders/") as response:
                assert guards.of("orders").stats.in_flight == 1
                await response.aread()
    assert guards.of("orders").stats.outcomes == {outcome: 1}
    assert body.closed == 1


def test_a_response_that_is_closed_half_read_is_judged_by_its_status() -> None:
    guards = HostGuards()
    transport = GuardTransport(httpx.MockTransport(_answering(_Parts(b"one", b"two"))), guards)
    with httpx.Client(transport=transport) as client, client.stream("GET", "http://orders/") as response:
        assert next(response.iter_bytes()) == b"one"
    assert guards.of("orders").stats.outcomes == {Outcome.SUCCEEDED: 1}


class _Dripping(_Parts):
    """A body without an end, each part of which comes soon."""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            time.sleep(0.02)
            yield b"drop"


def _patient(guards: HostGuards) -> tuple[GuardTransport, AsyncGuardTransport]:
    mock = httpx.MockTransport(_answering(_Dripping()))
    return GuardTransport(mock, guards), AsyncGuardTransport(mock, guards)


def test_a_body_that_drips_takes_no_longer_than_is_decided() -> None:
    guards = HostGuards(in_memory_view(decision("orders", DecisionKind.RETRY, timeout=0.1)))
    with httpx.Client(transport=_patient(guards)[0]) as client, pytest.raises(httpx.ReadTimeout):
        client.get("http://orders/")
    assert guards.of("orders").stats.outcomes == {Outcome.DROPPED: 1}


async def test_an_asynchronous_body_that_drips_takes_no_longer_than_is_decided() -> None:
    guards = HostGuards(in_memory_view(decision("orders", DecisionKind.RETRY, timeout=0.1)))
    async with httpx.AsyncClient(transport=_patient(guards)[1]) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("http://orders/")
    assert guards.of("orders").stats.outcomes == {Outcome.DROPPED: 1}


def test_the_context_travels_with_a_request() -> None:
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200)

    for caller in ("shop", ""):
        transport = GuardTransport(httpx.MockTransport(answer), HostGuards(caller=caller))
        with httpx.Client(transport=transport) as client, attempt(1):
            client.get("http://orders/", headers={"snowshed-caller": "told by telemetry"})
    assert [headers["snowshed-attempt"] for headers in seen] == ["1", "1"]
    assert [headers["snowshed-caller"] for headers in seen] == ["shop", "told by telemetry"]
