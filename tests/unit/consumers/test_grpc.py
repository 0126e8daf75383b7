"""The gRPC interceptors between real servers and channels on the loopback interface, without generated code."""

# grpcio is not marked as typed.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

import grpc
import grpc.aio
import pytest

from snowshed.consumers import Brake, Guard, Outcome
from snowshed.consumers.integrations.grpc.client import GuardClientInterceptor, async_client_interceptors
from snowshed.consumers.integrations.grpc.codes import context_of
from snowshed.consumers.integrations.grpc.server import AsyncGuardInterceptor, GuardInterceptor
from snowshed.consumers.testing import decision, in_memory_view
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import CallContext, Criticality, attempt, call_context, use_context
from snowshed.schemas.records import DecisionKind

_CODES = {code.name: code for code in grpc.StatusCode}

_POLICY = {
    "maxAttempts": 5,
    "initialBackoff": "0.01s",
    "maxBackoff": "0.01s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": ["RESOURCE_EXHAUSTED", "UNAVAILABLE"],
}
_RETRIES = [("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": _POLICY}]}))]


def _said() -> bytes:
    context = call_context()
    return f"{context.caller} {context.attempt} {context.deadline is not None}".encode()


def _answer(request: bytes, context: Any) -> bytes:
    """Aborts with the code that the request names, else says what it knows of the call."""
    if request == b"crash":
        raise RuntimeError("crash")
    if request == b"slow":
        time.sleep(0.3)
    if request.decode() in _CODES:
        context.abort(_CODES[request.decode()], "asked for")
    return _said()


def _stream(request: bytes, context: Any) -> Iterator[bytes]:
    yield _said()
    while request == b"endless":
        time.sleep(0.005)
        yield _said()
    yield _answer(request, context)


def _join(requests: Iterator[bytes], context: Any) -> bytes:
    return _answer(b"".join(requests), context)


def _echo(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    for request in requests:
        yield _answer(request, context)


async def _async_answer(request: bytes, context: Any) -> bytes:
    if request == b"crash":
        raise RuntimeError("crash")
    if request == b"slow":
        await asyncio.sleep(30)
    if request.decode() in _CODES:
        await context.abort(_CODES[request.decode()], "asked for")
    return _said()


async def _async_stream(request: bytes, context: Any) -> AsyncGenerator[bytes]:
    yield _said()
    while request == b"endless":
        await asyncio.sleep(0.005)
        yield _said()
    yield await _async_answer(request, context)


async def _async_join(requests: Any, context: Any) -> bytes:
    return await _async_answer(b"".join([request async for request in requests]), context)


async def _async_echo(requests: Any, context: Any) -> AsyncGenerator[bytes]:
    async for request in requests:
        yield await _async_answer(request, context)


def _plain(request: bytes, _context: Any) -> Iterator[bytes]:
    """Works before it returns, unlike a generator."""
    return iter([_said(), request])


async def _written(request: bytes, context: Any) -> None:
    """Writes its responses itself, as gRPC lets asynchronous handlers do."""
    await context.write(_said())
    await context.write(await _async_answer(request, context))


def _handlers(unary: Any, stream: Any, join: Any, echo: Any, plain: Any) -> tuple[Any, ...]:
    methods: dict[str, Any] = {
        "Ask": grpc.unary_unary_rpc_method_handler(unary),
        "Stream": grpc.unary_stream_rpc_method_handler(stream),
        "Join": grpc.stream_unary_rpc_method_handler(join),
        "Echo": grpc.stream_stream_rpc_method_handler(echo),
        "Plain": grpc.unary_stream_rpc_method_handler(plain),
    }
    health: dict[str, Any] = {"Check": grpc.unary_unary_rpc_method_handler(unary)}
    return (
        grpc.method_handlers_generic_handler("shop.Orders", methods),
        grpc.method_handlers_generic_handler("grpc.health.v1.Health", health),
    )


@contextmanager
def _channel(guard: Guard, client: Guard | None = None, options: Any = None) -> Generator[Any]:
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, interceptors=[GuardInterceptor(guard)])
        server.add_generic_rpc_handlers(_handlers(_answer, _stream, _join, _echo, _plain))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
                yield grpc.intercept_channel(channel, GuardClientInterceptor(client or Guard("orders"), caller="shop"))
        finally:
            server.stop(None).wait()


@asynccontextmanager
async def _async_channel(guard: Guard, client: Guard | None = None) -> AsyncGenerator[Any]:
    server = grpc.aio.server(interceptors=[AsyncGuardInterceptor(guard)])
    server.add_generic_rpc_handlers(_handlers(_async_answer, _async_stream, _async_join, _async_echo, _written))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    interceptors = async_client_interceptors(client or Guard("orders"), caller="shop")
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=interceptors) as channel:
            yield channel
    finally:
        await server.stop(None)


def _guard(kind: DecisionKind, **fields: Any) -> Guard:
    return Guard("orders", view=in_memory_view(decision("orders", kind, **fields)), rng=lambda: 0.5)


def _eventually(condition: Callable[[], bool]) -> None:
    """A permit ends on gRPC's own thread, shortly after its caller has the answer."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


async def _soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.005)


def _settled(guard: Guard, outcome: Outcome, calls: int = 1) -> Callable[[], bool]:
    return lambda: guard.stats.outcomes == {outcome: calls} and guard.stats.in_flight == 0


def _call_all(channel: Any) -> list[bytes]:
    return [
        channel.unary_unary("/shop.Orders/Ask")(b"", timeout=10),
        *channel.unary_stream("/shop.Orders/Stream")(b"", timeout=10),
        channel.stream_unary("/shop.Orders/Join")(iter([b"", b""]), timeout=10),
        *channel.stream_stream("/shop.Orders/Echo")(iter([b"", b""]), timeout=10),
    ]


def test_calls_of_all_kinds_carry_their_context_and_succeed() -> None:
    guard, client = Guard("orders"), Guard("orders")
    with _channel(guard, client) as channel:
        assert _call_all(channel) == [b"shop 0 True"] * 6
        _eventually(_settled(guard, Outcome.SUCCEEDED, 4))
        _eventually(_settled(client, Outcome.SUCCEEDED, 4))


async def test_asynchronous_calls_of_all_kinds_carry_their_context_and_succeed() -> None:
    guard, client = Guard("orders"), Guard("orders")
    async with _async_channel(guard, client) as channel:
        answers = [
            await channel.unary_unary("/shop.Orders/Ask")(b"", timeout=10),
            *[one async for one in channel.unary_stream("/shop.Orders/Stream")(b"", timeout=10)],
            await channel.stream_unary("/shop.Orders/Join")([b"", b""], timeout=10),
            *[one async for one in channel.stream_stream("/shop.Orders/Echo")([b"", b""], timeout=10)],
        ]
        assert answers == [b"shop 0 True"] * 6
        await _soon(_settled(guard, Outcome.SUCCEEDED, 4))
        await _soon(_settled(client, Outcome.SUCCEEDED, 4))


def test_an_attempt_travels_in_metadata() -> None:
    with _channel(Guard("orders")) as channel, attempt(1):
        assert channel.unary_unary("/shop.Orders/Ask")(b"") == b"shop 1 False"


def test_retries_that_grpc_makes_by_itself_are_held_to_the_budget_and_then_end() -> None:
    guard = _guard(DecisionKind.RETRY, retry_budget=0.0)
    with _channel(guard, options=_RETRIES) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/shop.Orders/Ask")(b"UNAVAILABLE", timeout=10)
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "-1"
    assert (guard.stats.admitted, guard.stats.rejected) == (1, {Brake.RETRY: 1})


@pytest.mark.parametrize("method", ["Ask", "Stream"])
def test_a_refused_call_tells_when_to_come_back(method: str) -> None:
    guard, client = _guard(DecisionKind.BREAKER, p_reject=1.0), Guard("orders")
    with _channel(guard, client) as channel:
        call = channel.unary_unary if method == "Ask" else channel.unary_stream
        with pytest.raises(grpc.RpcError) as refused:
            list(call(f"/shop.Orders/{method}")(b"", timeout=10))
        _eventually(_settled(client, Outcome.DROPPED))
        health = channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == "the breaker refuses 100% of calls"
    assert dict(error.trailing_metadata()) == {"grpc-retry-pushback-ms": "1000", "snowshed-degrade-level": "0"}
    assert health.startswith(b"shop")


async def test_a_degraded_class_is_told_that_the_service_is_unavailable() -> None:
    guard = _guard(DecisionKind.DEGRADE, degrade_level=3)
    async with _async_channel(guard) as channel:
        with use_context(CallContext(criticality=Criticality.SHEDDABLE)):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary("/shop.Orders/Ask")(b"")
            assert await channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert refused.value.trailing_metadata()["snowshed-degrade-level"] == "3"


_OUTCOMES = [
    (b"NOT_FOUND", Outcome.SUCCEEDED),
    (b"UNAVAILABLE", Outcome.DROPPED),
    (b"INTERNAL", Outcome.IGNORED),
    (b"crash", Outcome.IGNORED),
]


@pytest.mark.parametrize(("request_", "outcome"), _OUTCOMES)
@pytest.mark.parametrize("method", ["Ask", "Stream"])
def test_the_status_decides_the_outcome_on_both_sides(method: str, request_: bytes, outcome: Outcome) -> None:
    guard, client = Guard("orders"), Guard("orders")
    with _channel(guard, client) as channel:
        call = channel.unary_unary if method == "Ask" else channel.unary_stream
        with pytest.raises(grpc.RpcError):
            list(call(f"/shop.Orders/{method}")(request_, timeout=10))
        _eventually(_settled(guard, outcome))
        _eventually(_settled(client, outcome))


@pytest.mark.parametrize(("request_", "outcome"), _OUTCOMES)
async def test_the_status_decides_the_outcome_of_asynchronous_calls(request_: bytes, outcome: Outcome) -> None:
    guard, client = Guard("orders"), Guard("orders")
    async with _async_channel(guard, client) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary("/shop.Orders/Ask")(request_, timeout=10)
        with pytest.raises(grpc.aio.AioRpcError):
            _ = [one async for one in channel.unary_stream("/shop.Orders/Stream")(request_, timeout=10)]
        await _soon(_settled(guard, outcome, 2))
        await _soon(_settled(client, outcome, 2))


def test_a_call_that_takes_too_long_is_dropped_by_its_client() -> None:
    client = Guard("orders")
    with _channel(Guard("orders"), client) as channel:
        with pytest.raises(grpc.RpcError):
            channel.unary_unary("/shop.Orders/Ask")(b"slow", timeout=0.05)
        _eventually(_settled(client, Outcome.DROPPED))


def test_a_client_waits_no_longer_than_is_decided() -> None:
    client = Guard("orders", view=in_memory_view(decision("orders", DecisionKind.RETRY, timeout=0.05)))
    with _channel(Guard("orders"), client) as channel:
        with pytest.raises(grpc.RpcError):
            channel.unary_unary("/shop.Orders/Ask")(b"slow", timeout=30)
        _eventually(_settled(client, Outcome.DROPPED))


async def test_an_asynchronous_client_waits_no_longer_than_is_decided() -> None:
    client = Guard("orders", view=in_memory_view(decision("orders", DecisionKind.RETRY, timeout=0.05)))
    async with _async_channel(Guard("orders"), client) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary("/shop.Orders/Ask")(b"slow", timeout=30)
        await _soon(_settled(client, Outcome.DROPPED))


def test_a_stream_that_its_client_gives_up_is_dropped_on_both_sides() -> None:
    guard, client = Guard("orders"), Guard("orders")
    with _channel(guard, client) as channel:
        call = channel.unary_stream("/shop.Orders/Stream")(b"endless", timeout=10)
        assert next(call) == b"shop 0 True"
        assert (guard.stats.in_flight, client.stats.in_flight) == (1, 1)
        call.cancel()
        _eventually(_settled(guard, Outcome.DROPPED))
        _eventually(_settled(client, Outcome.DROPPED))


async def test_an_asynchronous_stream_that_its_client_gives_up_is_dropped_on_both_sides() -> None:
    guard, client = Guard("orders"), Guard("orders")
    async with _async_channel(guard, client) as channel:
        call = channel.unary_stream("/shop.Orders/Stream")(b"endless", timeout=10)
        async for answer in call:
            assert answer == b"shop 0 True"
            break
        assert (guard.stats.in_flight, client.stats.in_flight) == (1, 1)
        call.cancel()
        await _soon(_settled(guard, Outcome.DROPPED))
        await _soon(_settled(client, Outcome.DROPPED))


def test_a_stream_whose_handler_is_no_generator_has_its_context() -> None:
    guard = Guard("orders")
    with _channel(guard) as channel:
        assert list(channel.unary_stream("/shop.Orders/Plain")(b"end", timeout=10)) == [b"shop 0 True", b"end"]
        _eventually(_settled(guard, Outcome.SUCCEEDED))


@pytest.mark.parametrize(("request_", "outcome"), [(b"", Outcome.SUCCEEDED), *_OUTCOMES])
async def test_an_asynchronous_handler_may_write_its_stream_itself(request_: bytes, outcome: Outcome) -> None:
    guard = Guard("orders")
    async with _async_channel(guard) as channel:
        call = channel.unary_stream("/shop.Orders/Plain")(request_, timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) if request_ else nullcontext():
            assert [one async for one in call] == [b"shop 0 True"] * 2
        await _soon(_settled(guard, outcome))


@pytest.mark.parametrize("previous", ["\u00b2", "9" * 5_000, "-1", "1.5", ""])
def test_a_damaged_count_of_retries_is_none(previous: str) -> None:
    assert context_of([("grpc-previous-rpc-attempts", previous)], None).attempt in {0, 1_000}


def test_the_count_of_retries_that_grpc_makes_is_bounded() -> None:
    assert context_of([("grpc-previous-rpc-attempts", "2"), ("snowshed-attempt", "1")], None).attempt == 3
    assert context_of([("grpc-previous-rpc-attempts", "999999999")], None).attempt == 1_000


async def test_clients_refuse_before_they_send() -> None:
    guard = Guard("orders")
    with _channel(guard, _guard(DecisionKind.BREAKER, p_reject=1.0)) as channel, pytest.raises(Rejected):
        channel.unary_unary("/shop.Orders/Ask")(b"")
    async with _async_channel(guard, _guard(DecisionKind.BREAKER, p_reject=1.0)) as channel:
        with pytest.raises(Rejected):
            await channel.unary_unary("/shop.Orders/Ask")(b"")
    assert guard.stats.admitted == 0


def test_a_method_that_nobody_serves_is_not_guarded() -> None:
    guard = Guard("orders")
    with _channel(guard) as channel, pytest.raises(grpc.RpcError) as missing:
        channel.unary_unary("/shop.Orders/Missing")(b"")
    error: Any = missing.value
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert guard.stats.admitted == 0
