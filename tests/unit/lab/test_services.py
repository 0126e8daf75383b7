"""Services, proxies and stores of the lab in one event loop, over real connections on loopback."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import CallContext, Criticality, use_context
from snowshed.streams.broker import free_ports
from snowshed.streams.lab.arrangements import Here, Send, Work
from snowshed.streams.lab.arrangements.plain import Plain
from snowshed.streams.lab.caller import Calls
from snowshed.streams.lab.link import Lines
from snowshed.streams.lab.load import Load
from snowshed.streams.lab.proxy import Carrier
from snowshed.streams.lab.replication import Store
from snowshed.streams.lab.service import Service
from snowshed.streams.lab.specs import (
    CacheSpec,
    ClassSpec,
    Downstream,
    LoadSpec,
    Patience,
    Place,
    ServiceSpec,
    StoreSpec,
)
from snowshed.streams.lab.station import Station
from snowshed.streams.lab.wire import CallFailed, Reply, Request

ONCE = Patience(timeout=1.0)
HERE = Here(service="client", slots=0, bootstrap="", prefix="x", seed=1)
STORE = ServiceSpec(name="store", slots=1, service_time=0.001)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nobody tells of what a service counts
        await asyncio.sleep(0.01)


class Refusing(Plain):
    async def serve(self, request: Request, work: Work) -> Reply:  # noqa: ARG002 - all alike
        raise Rejected("store", "the test wants it", retry_after=2.0)


class Counting(Plain):
    hits = 0

    def hit(self, operation: str) -> None:  # noqa: ARG002 - all alike
        self.hits += 1

    async def call(self, operation: str, send: Send, patience: Patience) -> Reply:  # noqa: ARG002 - all alike
        return await send(0, patience.timeout)


@asynccontextmanager
async def running(
    spec: ServiceSpec, protection: Plain | None = None, ports: dict[str, int] | None = None
) -> AsyncGenerator[tuple[Service, Calls]]:
    """A service, and calls to it."""
    (port,) = free_ports(1)
    place = Place(ports={**(ports or {}), spec.name: port})
    service = Service(spec, place, protection or Plain(HERE))
    lost: list[Lines] = []
    made: list[Lines] = []

    def accept() -> Lines:
        made.append(Lines(service.hear, lambda: lost.append(made[0])))
        return made[-1]

    server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", port)
    calls = Calls("client", spec.name, port, Plain(HERE))
    try:
        yield service, calls
    finally:
        calls.close()
        service.close()
        for lines in made:
            lines.close()
        await until(lambda: len(lost) == len(made))
        server.close()


async def test_a_call_is_answered_and_counted() -> None:
    async with running(STORE) as (service, calls):
        reply = await calls.call("ask", 0, ONCE)
        assert reply.status == 200
        counts = service.report()
    assert (counts["received"], counts["first"], counts["ok"], counts["queue"]) == (1, 1, 1, 0)
    assert calls.sent() == 1


async def test_a_call_that_takes_too_long_is_tried_again_and_worked_on_to_the_end() -> None:
    slow = ServiceSpec(name="store", slots=1, service_time=0.05)
    async with running(slow) as (service, calls):
        service.station = Station(1, 0.05, lambda: 1.0)
        with pytest.raises(TimeoutError):
            await calls.call("ask", 0, Patience(timeout=0.01, attempts=3))
        assert calls.sent() == 3
        await until(lambda: service.counts.late == 3)
    assert (service.counts.first, service.counts.ok) == (1, 3)


async def test_a_service_that_cancels_leaves_out_what_nobody_waits_for() -> None:
    slow = ServiceSpec(name="store", slots=1, service_time=0.05, cancels=True)
    async with running(slow) as (service, calls):
        service.station = Station(1, 0.05, lambda: 1.0)
        with pytest.raises(TimeoutError):
            await calls.call("ask", 0, Patience(timeout=0.01, attempts=3))
        await until(lambda: service.counts.failed == 2)
    assert service.counts.ok == 1


async def test_a_refusal_is_told_with_when_to_come_back() -> None:
    async with running(STORE, Refusing(HERE)) as (service, calls):
        with pytest.raises(Rejected) as refused:
            await calls.call("ask", 0, ONCE)
    assert refused.value.retry_after == 2.0
    assert service.counts.refused == 1


async def test_a_callees_refusal_is_its_callers_failure() -> None:
    async with running(STORE, Refusing(HERE)) as (_, behind):
        port = behind.port
        web = ServiceSpec(name="web", calls=(Downstream(callee="store", patience=ONCE),))
        async with running(web, ports={"store": port}) as (_, calls):
            with pytest.raises(CallFailed, match="502"):
                await calls.call("ask", 0, ONCE)


async def test_a_cache_answers_what_was_asked_before_until_it_is_emptied() -> None:
    async with running(STORE) as (store, behind):
        web = ServiceSpec(
            name="web", cache=CacheSpec(keys=10), calls=(Downstream(callee="store", patience=ONCE, times=2),)
        )
        protection = Counting(HERE)
        async with running(web, protection, {"store": behind.port}) as (service, calls):
            await calls.call("ask", 3, ONCE)
            assert (store.counts.received, protection.hits) == (0, 1)
            service.obey({"flush": True})
            await calls.call("ask", 3, ONCE)
            await calls.call("ask", 3, ONCE)
            assert (store.counts.received, protection.hits) == (2, 2)


async def test_a_load_asks_each_class_where_it_belongs() -> None:
    classes = tuple(
        ClassSpec(criticality=Criticality.CRITICAL, share=share, callee=name)
        for name, share in (("store", 0.75), ("other", 0.25))
    )
    spec = LoadSpec(callee="store", rate=400.0, seconds=0.5, patience=ONCE, classes=classes)
    async with running(STORE) as (store, calls), running(replace(STORE, name="other")) as (other, others):
        load = Load(spec, 1, {"store": calls, "other": others})
        await load.run(time.monotonic())
        told = load.report()
        asked = Counter(callee for _, _, _, outcome, callee in told["ended"] if outcome == "ok")
        assert asked == {"store": store.counts.received, "other": other.counts.received}
        assert asked["store"] > 1.5 * asked["other"] > 0
        assert told["attempts"] == sum(asked.values())


async def test_a_service_that_is_not_there_is_a_connection_error() -> None:
    calls = Calls("client", "store", free_ports(1)[0], Plain(HERE))
    for _ in range(2):  # the second without a new attempt to connect
        with pytest.raises(ConnectionError):
            await calls.call("ask", 0, ONCE)


async def test_an_attempt_and_the_time_that_is_left_travel() -> None:
    seen: list[Request] = []

    class Looking(Plain):
        async def serve(self, request: Request, work: Work) -> Reply:
            seen.append(request)
            return await work()

    async with running(STORE, Looking(HERE)) as (_, calls):
        with use_context(CallContext(attempt=2, deadline=time.monotonic() + 0.5)):
            await calls.call("ask", 0, ONCE)
    assert seen[0].headers["snowshed-attempt"] == "2"
    assert 0 < int(seen[0].headers["snowshed-deadline"]) <= 500


async def test_a_proxy_carries_both_ways_and_loses_what_it_is_told_to() -> None:
    async with running(STORE) as (service, behind):
        carrier = Carrier(behind.port, lambda: 0.5)
        (port,) = free_ports(1)
        server = await asyncio.get_running_loop().create_server(carrier.accept, "127.0.0.1", port)
        calls = Calls("client", "store", port, Plain(HERE))
        await calls.call("ask", 0, ONCE)
        carrier.obey({"drop": 1.0})
        with pytest.raises(TimeoutError):
            await calls.call("ask", 0, Patience(timeout=0.05))
        carrier.obey({"drop": 0.0})
        await calls.call("ask", 0, ONCE)
        calls.close()
        server.close()
    assert service.counts.received == 2


async def test_a_follower_that_applies_slower_than_is_written_falls_behind_and_catches_up() -> None:
    follower = Store("follower", StoreSpec(dataset="orders", apply_rate=100.0), {}, None)
    now = time.time()
    for number in range(20):
        follower.take(Request(0, "apply", number % 2, {"at": repr(now - 1.0), "writer": "leader"}))
    assert 1.0 <= follower.age < 1.5
    await until(lambda: not follower.age)
    follower.close()


async def test_what_a_leader_writes_reaches_its_follower() -> None:
    spec = ServiceSpec(name="follower", store=StoreSpec(dataset="orders", apply_rate=0.001))
    async with running(spec) as (_, follower):
        leader = ServiceSpec(name="leader", store=StoreSpec(dataset="orders", followers=("follower",)))
        async with running(leader, ports={"follower": follower.port}) as (_, calls):
            age = 0.0
            while not age:  # the leader connects by itself, on nobody's path
                assert (await calls.call("write", 0, ONCE)).age == 0.0
                age = (await follower.call("read", 0, ONCE)).age
