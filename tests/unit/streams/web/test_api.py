from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, ClientTimeout, web
from aiohttp.test_utils import TestClient, TestServer
from tests.unit.streams.web.fleet import FedWorld, closed, decision, fleet, incident, node
from yarl import URL

from snowshed.schemas.records import Decision, Incident
from snowshed.streams.web import events, mount

NOW = 1_800_000_000.0
Client = TestClient[web.Request, web.Application]


class Site:
    def __init__(self, client: Client, world: FedWorld) -> None:
        self.client, self.world = client, world
        self.ready = True


def told(incident: Incident, decisions: Sequence[Decision]) -> str:
    return f"{incident.summary} {len(decisions)} decision(s)."


@asynccontextmanager
async def serve(viewers: int = 8, prefix: str = "") -> AsyncGenerator[Site]:
    app, world = web.Application(), FedWorld()
    client = TestClient(TestServer(app), timeout=ClientTimeout(total=20))
    site = Site(client, world)
    mount(app, world, ready=lambda: site.ready, explain=told, prefix=prefix, viewers=viewers, clock=lambda: NOW)
    async with client:
        yield site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serve() as site:
        yield site


async def event(stream: ClientResponse) -> tuple[str, dict[str, Any]]:
    """The next event of a stream and its data."""
    name, data = "", ""
    while line := (await stream.content.readline()).decode().rstrip("\n"):
        field, _, value = line.partition(": ")
        name, data = (value, data) if field == "event" else (name, value)
    return name, json.loads(data)


async def test_the_world_is_one_json_object(site: Site) -> None:
    site.world.tell(*fleet(NOW))
    answer = await site.client.get("/api/world")
    table = await answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert [len(table[name]) for name in ("nodes", "edges", "lag", "incidents", "decisions")] == [19, 11, 3, 3, 2]
    assert (table["now"], table["connected"], table["caught_up"]) == (NOW, True, True)


async def test_an_incident_comes_with_its_decisions_and_its_explanation(site: Site) -> None:
    site.world.tell(incident(NOW), decision(NOW))
    table = await (await site.client.get("/api/incidents/retries-payments-6f3a91")).json()
    assert table["incident"]["kind"] == "retry_amplification"
    assert [taken["scope"] for taken in table["decisions"]] == ["payments"]
    assert table["explanation"].endswith("unchanged. 1 decision(s).")


async def test_an_unknown_incident_is_a_404_that_says_why(site: Site) -> None:
    answer = await site.client.get("/api/incidents/%3Cscript%3E")
    assert answer.status == 404
    assert answer.content_type == "application/json"
    assert "'<script>'" in (await answer.json())["error"]


async def test_liveness_and_readiness_are_told_apart(site: Site) -> None:
    site.ready = False
    assert [(await site.client.get(path)).status for path in ("/healthz", "/readyz")] == [200, 503]
    site.ready = True
    assert (await site.client.get("/readyz")).status == 200


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/static/style.css", "/api/world", "/healthz", "/api/events"])
async def test_every_answer_may_load_only_from_its_own_origin(site: Site, path: str) -> None:
    answer = await site.client.get(path)
    assert answer.status == 200
    assert "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not [name for name in answer.headers if name.startswith("Access-Control")]
    answer.close()


@pytest.mark.parametrize("path", ["/static/../api.py", "/static/%2e%2e/api.py", "/static/", "/static/none.js"])
async def test_only_the_static_files_are_served(site: Site, path: str) -> None:
    assert (await site.client.get(path)).status in {403, 404}


async def test_the_page_can_live_under_a_prefix() -> None:
    async with serve(prefix="/snowshed") as site:
        statuses = [(await site.client.get(path)).status for path in ("/snowshed/", "/snowshed/api/world", "/")]
    assert statuses == [200, 200, 404]


async def test_a_viewer_gets_the_world_and_then_only_the_sections_that_changed(site: Site) -> None:
    site.world.tell(node("a", "s", NOW))
    stream = await site.client.get("/api/events")
    assert stream.content_type == "text/event-stream"
    name, world = await event(stream)
    assert (name, len(world["nodes"]), world["incidents"]) == ("world", 1, [])
    site.world.tell(incident(NOW))
    name, change = await event(stream)
    assert (name, [i["status"] for i in change["incidents"]]) == ("change", ["open"])
    assert "nodes" not in change
    site.world.tell(closed(incident(NOW), NOW + 1))
    assert [i["status"] for i in (await event(stream))[1]["incidents"]] == ["closed"]


async def test_losing_kafka_is_a_change_and_quiet_is_filled_with_beats(site: Site) -> None:
    stream = await site.client.get("/api/events")
    await event(stream)
    site.world.connected = False
    assert [(name, data["connected"]) for name, data in [await event(stream)]] == [("change", False)]
    assert await event(stream) == ("beat", {"now": NOW, "connected": False})


async def test_many_changes_become_at_most_four_events_a_second(site: Site) -> None:
    stream = await site.client.get("/api/events")
    await event(stream)
    loop = asyncio.get_running_loop()
    start, changes = loop.time(), 0
    while loop.time() - start < 1.0:
        site.world.tell(node(f"n{changes}", "s", NOW + loop.time()))
        changes += 1
        await asyncio.sleep(0.005)
    sent, seen = 0, 0
    while seen < changes:
        _, data = await event(stream)
        sent, seen = sent + 1, len(data["nodes"])
    assert sent <= 5 < changes


async def test_too_many_viewers_are_sent_away_until_one_leaves() -> None:
    async with serve(viewers=1) as site:
        first = await site.client.get("/api/events")
        await event(first)
        second = await site.client.get("/api/events")
        assert (second.status, second.headers["Retry-After"]) == (503, "5")
        first.close()
        async with asyncio.timeout(10):
            while (third := await site.client.get("/api/events")).status == 503:
                site.world.tell(node("a", "s", NOW + asyncio.get_running_loop().time()))
                await asyncio.sleep(0.05)
        assert (await event(third))[0] == "world"


async def test_a_viewer_that_does_not_read_delays_nobody_and_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_PATIENCE", 1.0)
    async with serve(viewers=2) as site, ClientSession(read_bufsize=2**24) as session:
        url = site.client.make_url("/api/events")
        _, deaf = await asyncio.open_connection(url.host, url.port)
        deaf.transport.pause_reading()  # type: ignore[attr-defined]
        deaf.write(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
        async with session.get(url) as keen:
            await event(keen)
            site.world.tell(node("a", "x" * 6_000_000, NOW))  # more than the kernel holds for a socket
            assert (await event(keen))[0] == "change"
            site.world.tell(incident(NOW))
            async with asyncio.timeout(2):
                assert (await event(keen))[1]["incidents"]
            assert await status(session, url) == 503
            async with asyncio.timeout(10):
                await room(session, url)
            deaf.close()


async def room(session: ClientSession, url: URL) -> None:
    while await status(session, url) == 503:  # noqa: ASYNC110 - asks the server as another viewer would
        await asyncio.sleep(0.1)


async def status(session: ClientSession, url: URL) -> int:
    async with session.get(url) as answer:
        return answer.status


async def test_streams_end_when_the_server_shuts_down() -> None:
    async with serve() as site:
        stream = await site.client.get("/api/events")
        await event(stream)
        start = asyncio.get_running_loop().time()
        await site.client.server.close()
        assert await stream.content.read() == b""
        assert asyncio.get_running_loop().time() - start < 3
