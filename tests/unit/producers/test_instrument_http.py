import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpx
import pytest

from snowshed.producers import MemoryTransport, Node, Outcome, Telemetry
from snowshed.producers.instrument import outcome_of_sqlstate, outcome_of_status
from snowshed.producers.instrument.asgi import TelemetryMiddleware, queue_delay_from, route_of
from snowshed.producers.instrument.httpx import AsyncTelemetryTransport, TelemetryTransport
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import ATTEMPT, CALLER, ORIGIN, CallContext, attempt, call_context, use_context
from snowshed.schemas.records import TimingBatch, Vantage

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _Service:
    """A service's telemetry and what it has reported."""

    def __init__(self, name: str) -> None:
        self.transport = MemoryTransport()
        self.telemetry = Telemetry(Node(name=f"{name}-1", service=name), self.transport, window=3_600.0)

    def report(self) -> TimingBatch:
        self.telemetry.stop()
        (sent,) = [sent for sent in self.transport.sent if sent.topic == "timings"]
        assert isinstance(sent.record, TimingBatch)
        return sent.record


def _counts(batch: TimingBatch) -> dict[Outcome, float]:
    columns = {
        Outcome.OK: batch.ok,
        Outcome.LOCAL: batch.error_local,
        Outcome.DOWNSTREAM: batch.error_downstream,
        Outcome.REJECTED: batch.rejected,
        Outcome.TIMEOUT: batch.timeout,
    }
    return {outcome: sum(column) for outcome, column in columns.items() if sum(column)}


async def _respond(send: Send, status: int = 200, body: bytes = b"ok") -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": body})


def _client(app: Any, service: _Service, *, raises: bool = True) -> httpx.AsyncClient:
    inner = httpx.ASGITransport(app=app, raise_app_exceptions=raises)
    return httpx.AsyncClient(transport=AsyncTelemetryTransport(inner, service.telemetry), base_url="http://orders")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.OK),
        (404, Outcome.OK),
        (429, Outcome.REJECTED),
        (503, Outcome.REJECTED),
        (500, Outcome.LOCAL),
        (502, Outcome.DOWNSTREAM),
        (504, Outcome.DOWNSTREAM),
        (408, Outcome.TIMEOUT),
    ],
)
async def test_both_ends_of_a_call_agree_on_how_it_ended(status: int, outcome: Outcome) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await _respond(send, status)

    web, orders = _Service("web"), _Service("orders")
    async with _client(TelemetryMiddleware(app, orders.telemetry), web) as client:
        assert (await client.get("/things/17")).status_code == status
    caller, callee = web.report(), orders.report()
    assert _counts(caller) == _counts(callee) == {outcome: 1.0}
    assert (caller.callee, caller.vantage, caller.strings[0]) == ("orders", Vantage.CALLER, "web")
    assert (callee.callee, callee.vantage) == ("orders", Vantage.CALLEE)
    assert set(callee.strings) == {"web", "GET /things/{id}", ""}


async def test_a_failure_behind_a_service_is_not_held_against_it_at_either_end() -> None:
    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        await _respond(send, 500)

    web, orders, stock = _Service("web"), _Service("orders"), _Service("stock")

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        async with _client(TelemetryMiddleware(broken, stock.telemetry), orders) as behind:
            answer = await behind.get("http://stock/")
        await _respond(send, answer.status_code)

    async with _client(TelemetryMiddleware(app, orders.telemetry), web) as client:
        answer = await client.get("/")
    assert (answer.headers[ORIGIN], answer.headers["x-own"]) == ("downstream", "1")
    assert _counts(web.report()) == {Outcome.DOWNSTREAM: 1.0}
    assert _counts(stock.report()) == {Outcome.LOCAL: 1.0}


async def test_attempt_and_root_are_inherited_through_a_service() -> None:
    seen: list[CallContext] = []

    async def last(_scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(call_context())
        await _respond(send)

    web, orders, stock = _Service("web"), _Service("orders"), _Service("stock")

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        async with _client(TelemetryMiddleware(last, stock.telemetry), orders) as behind:
            await behind.get("http://stock/")
        await _respond(send)

    async with _client(TelemetryMiddleware(app, orders.telemetry), web) as client:
        with attempt(1):
            await client.get("/cart")
    (context,) = seen
    assert (context.caller, context.attempt, context.root_api) == ("orders", 1, "GET /cart")
    assert call_context() == CallContext()
    batch = stock.report()
    assert (batch.first, batch.attempts) == ((0.0,), (1.0,))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RuntimeError("bug"), Outcome.LOCAL),
        (TimeoutError(), Outcome.TIMEOUT),
        (Rejected("orders", "overloaded", retry_after=1.0), Outcome.REJECTED),
    ],
)
async def test_an_exception_in_the_application_is_counted_and_passed_on(error: Exception, outcome: Outcome) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    web, orders = _Service("web"), _Service("orders")
    async with _client(TelemetryMiddleware(app, orders.telemetry), web) as client:
        with pytest.raises(type(error)):
            await client.get("/")
    assert _counts(orders.report()) == {outcome: 1.0}


async def test_a_stream_is_passed_on_piece_by_piece_and_counted_when_it_begins() -> None:
    orders = _Service("orders")
    sent: list[Message] = []
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        begun.set()
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"2"})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    serving = asyncio.create_task(TelemetryMiddleware(app, orders.telemetry)(scope, receive, send))
    await begun.wait()
    orders.telemetry.recorder.flush()
    assert len(orders.transport.sent) == 1
    assert [message.get("body") for message in sent] == [None, b"1"]
    go_on.set()
    await serving
    assert sent[-1]["body"] == b"2"
    assert _counts(orders.report()) == {Outcome.OK: 1.0}


async def test_a_crowded_event_loop_shows_as_queue_delay() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        asyncio.get_running_loop().call_soon(_hog)
        await asyncio.sleep(0)
        await _respond(send)

    web, orders = _Service("web"), _Service("orders")
    middleware = TelemetryMiddleware(app, orders.telemetry)
    async with _client(middleware, web) as client:
        _ = await asyncio.gather(client.get("/"), client.get("/"), client.get("/"))
    assert orders.report().queue_delay_max[0] > 0.015


def _hog() -> None:
    until = time.monotonic() + 0.02
    while time.monotonic() < until:
        pass


async def test_a_proxys_time_stamp_shows_as_queue_delay() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await _respond(send)

    web, orders = _Service("web"), _Service("orders")
    async with _client(TelemetryMiddleware(app, orders.telemetry), web) as client:
        await client.get("/", headers={"x-request-start": f"t={time.time() - 2.0}"})
    assert orders.report().queue_delay_max[0] == pytest.approx(2.0, abs=1.0)


@pytest.mark.parametrize(
    ("value", "delay"),
    [
        (b"t=1700000000.5", 1.5),
        (b"1700000000500", 1.5),
        (b"1700000000500000", 1.5),
        (b"1700000005", 0.0),
        (b"1600000000", None),
        (b"nan", None),
        (b"soon", None),
        (b"", None),
    ],
)
def test_a_proxys_time_stamp_is_read_in_any_unit(value: bytes, delay: float | None) -> None:
    found = queue_delay_from([(b"x-request-start", value)], now=1_700_000_002.0)
    assert found == (None if delay is None else pytest.approx(delay))


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/orders/17/items", "GET /orders/{id}/items"),
        ("/orders/0b9d4f3e-8f7a-4a6e-9a68-0a1d6f1f3c55", "GET /orders/{id}"),
        ("/static/app.js", "GET /static/app.js"),
        ("/v1/users", "GET /v1/users"),
        ("/", "GET /"),
    ],
)
def test_identifiers_in_a_path_do_not_make_new_operations(path: str, route: str) -> None:
    assert route_of({"method": "GET", "path": path}) == route


async def test_connections_that_are_no_requests_pass_untouched() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    async def never() -> Message:
        raise AssertionError

    async def nothing(_message: Message) -> None:
        raise AssertionError

    orders = _Service("orders")
    scope = {"type": "lifespan"}
    await TelemetryMiddleware(app, orders.telemetry)(scope, never, nothing)
    orders.telemetry.stop()
    assert seen == [scope]
    assert orders.transport.sent == ()


def test_a_synchronous_client_tells_who_calls_and_counts_what_came_back() -> None:
    seen: list[httpx.Headers] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200)

    web = _Service("web")
    transport = TelemetryTransport(httpx.MockTransport(handle), web.telemetry, callee="orders")
    with httpx.Client(transport=transport) as client, use_context(CallContext(attempt=2)):
        client.post("http://10.0.0.7/")
    assert (seen[0][CALLER], seen[0][ATTEMPT]) == ("web", "2")
    batch = web.report()
    assert (batch.callee, set(batch.strings)) == ("orders", {"web", "POST", ""})
    assert (batch.first, batch.ok) == ((0.0,), (1.0,))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ReadTimeout("slow"), Outcome.TIMEOUT),
        (httpx.ConnectError("refused"), Outcome.LOCAL),
        (Rejected("orders", "overloaded", retry_after=1.0), Outcome.REJECTED),
    ],
)
def test_a_call_without_an_answer_is_counted_by_its_error(error: Exception, outcome: Outcome) -> None:
    def handle(_request: httpx.Request) -> httpx.Response:
        raise error

    web = _Service("web")
    transport = TelemetryTransport(httpx.MockTransport(handle), web.telemetry)
    with httpx.Client(transport=transport) as client, pytest.raises(type(error)):
        client.get("http://orders/")
    assert _counts(web.report()) == {outcome: 1.0}


async def test_a_cancelled_call_is_a_time_out() -> None:
    async def handle(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    web = _Service("web")
    transport = AsyncTelemetryTransport(httpx.MockTransport(handle), web.telemetry)
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await client.get("http://orders/")
    assert _counts(web.report()) == {Outcome.TIMEOUT: 1.0}


def test_a_known_failure_behind_turns_a_server_error_into_a_downstream_one_only() -> None:
    assert outcome_of_status(500, downstream=True) is Outcome.DOWNSTREAM
    assert outcome_of_status(404, downstream=True) is Outcome.OK
    assert outcome_of_status(429, downstream=True) is Outcome.REJECTED


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("23505", Outcome.OK),
        ("42P01", Outcome.OK),
        ("57014", Outcome.TIMEOUT),
        ("53300", Outcome.REJECTED),
        ("40P01", Outcome.LOCAL),
        ("57P01", Outcome.LOCAL),
        ("", Outcome.LOCAL),
    ],
)
def test_a_database_error_says_whether_the_database_failed(code: str, outcome: Outcome) -> None:
    assert outcome_of_sqlstate(code) is outcome
