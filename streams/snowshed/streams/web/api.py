"""Serves the page, its data and its events; knows aiohttp and nothing of Kafka or Faust."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
from aiohttp import web

from snowshed.schemas.records import Decision, Incident
from snowshed.streams.web.events import EventStream
from snowshed.streams.web.feed import Feed, WorldSource
from snowshed.streams.web.orders import OrderDesk, Send

__all__ = ["Explain", "mount"]

Explain = Callable[[Incident, Sequence[Decision]], str]
"""Tells an incident and the decisions taken because of it in plain text."""

_STATIC = Path(__file__).with_name("static")
_PERIOD = 0.25
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def summary(incident: Incident, decisions: Sequence[Decision]) -> str:
    """The incident's own sentence and the reason of each decision, a line each."""
    return "\n".join([incident.summary, *(decision.reason for decision in decisions)])


def mount(
    app: web.Application,
    source: WorldSource,
    *,
    ready: Callable[[], bool],
    explain: Explain = summary,
    prefix: str = "",
    viewers: int = 64,
    orders: Send | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Adds the page to an application that has not started yet.

    Args:
        app: gets the routes, and security headers on every response.
        source: the world that is shown.
        ready: whether `/readyz` answers 200 or 503.
        explain: the text that `/api/incidents/{id}` gives.
        prefix: path in front of every route, such as `/snowshed`.
        viewers: event streams that may be open at once; more get 503.
        orders: writes what operators order; None for a page that only shows.
        clock: the present time, seconds since the Unix epoch.
    """
    feed = Feed(source, clock, _PERIOD)
    handlers = _Handlers(feed, ready, explain, orders=orders is not None)
    events = EventStream(feed, _PERIOD, viewers)
    app.router.add_get(f"{prefix}/", handlers.page)
    app.router.add_static(f"{prefix}/static", _STATIC)
    app.router.add_get(f"{prefix}/api/world", handlers.world)
    app.router.add_get(f"{prefix}/api/incidents/{{id}}", handlers.incident)
    app.router.add_get(f"{prefix}/api/events", events.serve)
    app.router.add_get(f"{prefix}/api/orders", handlers.takes_orders)
    if orders is not None:
        app.router.add_post(f"{prefix}/api/orders", OrderDesk(feed, orders, clock).take)
    app.router.add_get(f"{prefix}/healthz", handlers.alive)
    app.router.add_get(f"{prefix}/readyz", handlers.ready)
    app.on_response_prepare.append(_secure)
    app.on_shutdown.append(events.close)


async def _secure(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
    # Page and scripts change together with an upgrade: a browser asks each time, and gets 304 for unchanged files.
    response.headers.setdefault("Cache-Control", "no-cache")


class _Handlers:
    def __init__(self, feed: Feed, ready: Callable[[], bool], explain: Explain, *, orders: bool) -> None:
        self._feed, self._ready, self._explain, self._orders = feed, ready, explain, orders

    async def page(self, _request: web.Request) -> web.FileResponse:
        return web.FileResponse(_STATIC / "index.html")

    async def world(self, _request: web.Request) -> web.Response:
        return _json(self._feed.current())

    async def incident(self, request: web.Request) -> web.Response:
        view, incident_id = self._feed.view(), request.match_info["id"]
        incident = view.incident(incident_id)
        if incident is None:
            reason = f"no incident {incident_id!r} is known here: it may be older than the ones that are kept"
            return _json(orjson.dumps({"error": reason}), status=404)
        decisions = view.decisions_of(incident)
        explanation = self._explain(incident, decisions)
        return _json(orjson.dumps({"incident": incident, "decisions": decisions, "explanation": explanation}))

    async def takes_orders(self, _request: web.Request) -> web.Response:
        return _json(orjson.dumps({"taken": self._orders}))

    async def alive(self, _request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def ready(self, _request: web.Request) -> web.Response:
        ready = self._ready()
        return web.Response(text="ready\n" if ready else "not ready\n", status=200 if ready else 503)


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(
        body=body, status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )
