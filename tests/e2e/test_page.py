"""The live page in a real browser, fed by a world that the test tells what happens."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from math import nan

import pytest
from aiohttp import web
from confluent_kafka import Producer
from playwright.async_api import Browser, Page, async_playwright, expect
from tests.unit.streams.web.fleet import (
    FedWorld,
    closed,
    decision,
    delivery,
    edge,
    fleet,
    incident,
    lag,
    lifted,
    node,
    port_of,
    service,
    statements,
)

from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.records import Decision, DecisionKind, DecisionMode, EdgeStatus, Incident, Record, ServiceStatus
from snowshed.schemas.topics import Topics
from snowshed.streams.broker import Broker
from snowshed.streams.provision import provision
from snowshed.streams.web import FollowedWorld, WorldSource, mount

pytestmark = pytest.mark.e2e

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Visit:
    """A page open in a browser, the world behind it, and what the browser complained about."""

    def __init__(self, page: Page, world: FedWorld, url: str) -> None:
        self.page, self.world, self.url = page, world, url
        self.complaints: list[str] = []
        self.loads = 0
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("load", self._loaded)

    def _loaded(self, _page: Page) -> None:
        self.loads += 1


def chromium() -> str:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("no browser to look at the page with; install one: apt-get update && apt-get install -y chromium")
    return path


@asynccontextmanager
async def server(world: WorldSource, port: int = 0) -> AsyncGenerator[int]:
    app = web.Application()
    mount(app, world, ready=lambda: True)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield port_of(runner)
    finally:
        await runner.cleanup()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=_FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    world = FedWorld()
    async with server(world) as port:
        url = f"http://127.0.0.1:{port}/"
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        visit = Visit(page, world, url)
        yield visit
        await page.close()
    assert visit.complaints == []


async def test_an_incident_comes_and_goes_without_a_reload(visit: Visit) -> None:
    page, now = visit.page, time.time()
    await page.goto(visit.url)
    await expect(page.get_by_text("snowshed publish scenario retry-storm")).to_be_visible()

    healthy = [record for record in fleet(now) if not isinstance(record, Incident | Decision)]
    visit.world.tell(*healthy)
    await expect(page.locator("#nodes tr")).to_have_count(19)
    await expect(page.locator("#graph .service")).to_have_count(9)
    await expect(page.locator("#graph .edge")).to_have_count(11)
    await expect(page.locator("#empty")).to_be_hidden()
    # One dead node, an amplified and an overloaded edge, a replica behind and one unknown, a triggered service.
    await expect(page.locator("#overall")).to_have_text("Watching6 early signs")

    opened, taken = incident(time.time()), decision(time.time())
    visit.world.tell(opened, taken)
    card = page.locator("#open-incidents article")
    await expect(card.locator(".summary")).to_have_text(opened.summary)
    await expect(card.locator(".evidence")).to_contain_text("2.74")
    await expect(card.locator(".taken")).to_contain_text("Retries at most 5 % of first attempts; at most 3 attempts")
    await expect(page.locator("#decisions .reason")).to_have_text(taken.reason)
    await expect(page.locator("#decisions .ttl")).to_have_text(re.compile(r"\d+ s left"))
    await expect(page.locator("#overall-title")).to_have_text("1 open incident")
    await expect(page.locator("#announcer")).to_contain_text(opened.summary)
    await expect(page).to_have_title(re.compile("1 open incident"))
    await card.get_by_text("In plain words").click()
    await expect(card.locator("pre")).to_have_text(f"{opened.summary}\n{taken.reason}")

    visit.world.tell(closed(opened, time.time()), lifted(taken, time.time()))
    await expect(card).to_have_count(0)
    await expect(page.locator("#decisions li")).to_have_count(0)
    await expect(page.locator("#closed-title")).to_have_text("1 closed incident")
    assert visit.loads == 1


async def test_services_statements_and_what_readers_see_are_shown(visit: Visit) -> None:
    page, now = visit.page, time.time()
    slow = statements("orders", now, operation=("SELECT", "UPDATE"), change=("", "latency"), onset=(nan, now - 60))
    visit.world.tell(
        service("orders", now, ServiceStatus.METASTABLE, vulnerability_low=1.1, vulnerability_high=1.4),
        service("cart", now, vulnerability_low=nan, vulnerability_high=nan),
        replace(decision(now), scope="orders", kind=DecisionKind.DEGRADE, degrade_level=3),
        replace(lag("r1", now, 0.1, 0.2), t99=0.4, stale_age=1.0, stale_share=0.02, budget_left=0.5),
        edge("cart", "orders", now),
        slow,
    )
    await page.goto(visit.url)
    rows = page.locator("#services tr")
    await expect(rows).to_have_text(
        [re.compile(r"cart● stable0.*–$"), re.compile(r"orders✕ metastable3.*1.10 – 1.40$")]
    )
    await expect(page.locator("#graph .service", has_text="orders").locator(".state")).to_have_text("✕ metastable")
    await expect(page.locator("#lag p")).to_have_text(
        "99 % of writes visible after 400 ms · 2 % of reads miss a write 1 s old · 50 % of the error budget left"
    )
    changed = page.locator("#statements tr").first
    await expect(changed).to_contain_text("orders · UPDATE")
    await expect(changed.locator(".chip")).to_have_text(re.compile("slower: 10 ms → 40 ms, since"))


async def test_text_from_records_never_becomes_markup(visit: Visit) -> None:
    markup = "<img src=x onerror=alert(1)><b>bold</b>"
    now = time.time()
    visit.world.tell(
        replace(node("n", "s", now), node=markup, service=markup),
        replace(incident(now), subject=markup, summary=markup, members=(markup,)),
        replace(decision(now), scope=markup, reason=markup),
    )
    await visit.page.goto(visit.url)
    await expect(visit.page.locator(".summary")).to_have_text(markup)
    await expect(visit.page.locator("#decisions .reason")).to_have_text(markup)
    await expect(visit.page.locator("#nodes .name")).to_have_text(markup)
    assert await visit.page.locator("main img, main b:not(.track b)").count() == 0


async def test_a_decision_expires_on_the_page_by_itself(visit: Visit) -> None:
    now = time.time()
    visit.world.tell(node("n", "s", now), replace(decision(now), ttl=1.5, mode=DecisionMode.SHADOW))
    await visit.page.goto(visit.url)
    await expect(visit.page.locator("#decisions .shadow")).to_be_visible()
    await expect(visit.page.locator("#decisions .ttl")).to_have_text("expired, relaxing")
    await expect(visit.page.locator("#decisions li")).to_have_count(0)


async def test_the_page_says_when_it_is_not_live_and_returns_by_itself(browser: Browser) -> None:
    world = FedWorld()
    world.tell(node("n", "s", time.time()))
    page = await browser.new_page()
    async with server(world) as port:
        await page.goto(f"http://127.0.0.1:{port}/")
        await expect(page.locator("#link")).to_have_text("live")
        world.connected = False
        await expect(page.locator("#banner")).to_contain_text("Kafka does not answer")
        world.connected = True
        await expect(page.locator("#banner")).to_be_hidden()
    await expect(page.locator("#banner")).to_contain_text("Not live")
    await expect(page.locator("#overall-title")).to_have_text("Not live")
    world.tell(incident(time.time()))
    async with server(world, port):
        await expect(page.locator("#link")).to_have_text("live", timeout=15_000)
        await expect(page.locator("#open-incidents article")).to_have_count(1)
        await expect(page.locator("#banner")).to_be_hidden()
        await page.close()


async def test_nodes_are_filtered_by_keyboard_and_keep_the_filter(visit: Visit) -> None:
    page, now = visit.page, time.time()
    visit.world.tell(*fleet(now))
    await page.goto(visit.url)
    await expect(page.locator("#nodes tr").first).to_contain_text("dead")
    await page.keyboard.press("/")
    await page.keyboard.type("payments")
    await expect(page.locator("#nodes tr")).to_have_count(4)
    visit.world.tell(node("payments-9", "payments", now), node("cart-9", "cart", now))
    await expect(page.locator("#nodes tr")).to_have_count(5)
    await expect(page.locator("#filter")).to_be_focused()
    await page.locator("#filter").fill("")
    await page.locator("#graph .service", has_text="ledger").first.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#nodes tr")).to_have_count(2)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_sticks_out_at_any_width(visit: Visit, width: int, scheme: str) -> None:
    await visit.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await visit.page.set_viewport_size({"width": width, "height": 844})
    visit.world.tell(*fleet(time.time()))
    await visit.page.goto(visit.url)
    await expect(visit.page.locator("#open-incidents article")).to_have_count(2)
    assert await visit.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    ground = await visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(11, 17, 24)" if scheme == "dark" else "rgb(238, 242, 246)")


@pytest.mark.parametrize("services", [2, 40])
async def test_services_never_cover_each_other_in_the_graph(visit: Visit, services: int) -> None:
    now = time.time()
    names = [f"service-{i:02d}" for i in range(services)]
    calls = [(names[i // 3], names[i]) for i in range(1, services)] + [(names[-1], names[0]), (names[0], names[0])]
    visit.world.tell(*[edge(caller, callee, now, EdgeStatus.OVERLOADED) for caller, callee in calls])
    await visit.page.goto(visit.url)
    await expect(visit.page.locator("#graph .service")).to_have_count(services)
    places = await visit.page.evaluate(
        """() => [...document.querySelectorAll("#graph .service > rect:not(.strip)")]
            .map((box) => box.getBoundingClientRect()).map((r) => [r.left, r.top, r.right, r.bottom])"""
    )
    for i, (left, top, right, bottom) in enumerate(places):
        for other in places[:i]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    assert await visit.page.locator("#edges tr").count() == len(calls)


def publish(kafka: Broker, topics: Topics, *records: Record) -> None:
    producer, codec = Producer({"bootstrap.servers": kafka.bootstrap}), Codec()
    for record in records:
        place = delivery(record)
        full = topics.full(place.topic.removeprefix("snowshed."))
        producer.produce(full, codec.encode(record), place.key)
    assert producer.flush(30) == 0


async def test_the_page_follows_the_topics_of_a_real_broker(browser: Browser, kafka: Broker, prefix: str) -> None:
    connection, topics, now = KafkaConnection(kafka.bootstrap), Topics(prefix, partitions=2), time.time()
    provision(connection, topics)
    opened = incident(now)
    publish(kafka, topics, *[record for record in fleet(now) if record != opened])
    world = FollowedWorld(connection, topics)
    world.start()
    try:
        async with server(world) as port:
            page = await browser.new_page()
            await page.goto(f"http://127.0.0.1:{port}/")
            await expect(page.locator("#kafka")).to_have_text("connected", timeout=30_000)
            await expect(page.locator("#nodes tr")).to_have_count(19)
            await expect(page.locator("#open-incidents article")).to_have_count(1)
            publish(kafka, topics, opened)
            await expect(page.locator("#open-incidents article")).to_have_count(2)
            await page.close()
    finally:
        world.stop()
