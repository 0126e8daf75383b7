"""Orders over HTTP: what is taken, and what is refused with which words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from tests.unit.streams.web.fleet import FedWorld, fleet

from snowshed.schemas.errors import BrokerUnavailable
from snowshed.schemas.records import OperatorAction, OperatorOrder
from snowshed.streams.web import mount

NOW = 1_800_000_000.0
Client = TestClient[web.Request, web.Application]


class Desk:
    def __init__(self) -> None:
        self.taken: list[OperatorOrder] = []
        self.broken = False

    def send(self, order: OperatorOrder) -> None:
        if self.broken:
            raise BrokerUnavailable("the order could not be written (no answer)")
        self.taken.append(order)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[Client]:
    app, world = web.Application(), FedWorld()
    world.tell(*fleet(NOW))
    mount(app, world, ready=lambda: True, orders=desk.send, clock=lambda: NOW)
    async with TestClient(TestServer(app)) as client:
        yield client


def pin(**other: Any) -> dict[str, Any]:
    return {
        "scope": "orders",
        "action": "pin",
        "actuator": "degrade",
        "value": 2,
        "author": "ann",
        "reason": "a launch",
        **other,
    }


async def test_an_order_is_written_with_its_domain_its_author_and_why(client: Client, desk: Desk) -> None:
    answer = await client.post("/api/orders", json=pin(ttl=60))
    assert answer.status == 202, await answer.text()
    (order,) = desk.taken
    assert (await answer.json()) == {"order_id": order.order_id}
    assert (order.action, order.degrade_level, order.ttl, order.author) == (OperatorAction.PIN, 2, 60, "ann")
    assert (order.domain, order.ordered_at) == ("shop", NOW)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (pin(scope="order"), "did you mean 'orders'?"),
        (pin(action="push"), "'push' is no order: it is one of pin, veto, freeze, release"),
        (pin(value=9), "degrade_level is 9: it is 0 to 4"),
        (pin(value=1.5), "a degrade level is a whole number from 0 to 4"),
        (pin(actuator=""), "an order pins one actuator of rate, retry, breaker, degrade, not 'all'"),
        (pin(value="2"), "value cannot be '2'"),
        (pin(ttl=-1), "it is to hold for -1 s"),
        (pin(reason=""), "no reason is given"),
        (pin(colour="red"), "an order has no 'colour'"),
        ({"action": "veto"}, "the order lacks scope"),
        ([], "the order must be an object"),
    ],
)
async def test_what_cannot_be_ordered_is_refused_in_words(client: Client, desk: Desk, order: object, said: str) -> None:
    answer = await client.post("/api/orders", json=order)
    assert answer.status == 400
    assert said in (await answer.json())["error"]
    assert desk.taken == []


async def test_a_form_of_another_page_is_refused_unread(client: Client, desk: Desk) -> None:
    answer = await client.post("/api/orders", data=pin())
    assert answer.status == 415
    assert desk.taken == []


async def test_an_order_that_the_broker_does_not_take_is_said_to_be_lost(client: Client, desk: Desk) -> None:
    desk.broken = True
    answer = await client.post("/api/orders", json=pin())
    assert answer.status == 503
    assert "could not be written" in (await answer.json())["error"]


async def test_a_page_that_only_shows_takes_no_orders() -> None:
    app = web.Application()
    mount(app, FedWorld(), ready=lambda: True)
    async with TestClient(TestServer(app)) as client:
        assert (await (await client.get("/api/orders")).json()) == {"taken": False}
        assert (await client.post("/api/orders", json=pin())).status == 405
