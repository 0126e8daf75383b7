"""Takes operators' orders over HTTP, checked as the command line checks them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast
from uuid import uuid4

import orjson
from aiohttp import web

from snowshed.schemas.errors import BrokerUnavailable, ConfigurationError
from snowshed.schemas.records import OperatorOrder
from snowshed.streams.control.ordering import Wanted, made
from snowshed.streams.web.feed import Feed
from snowshed.streams.web.scopes import scopes

__all__ = ["OrderDesk", "Send"]

Send = Callable[[OperatorOrder], object]
"""Writes an order to the log; blocks until it stands there."""

_WORDS = {"scope": str, "action": str, "actuator": str, "author": str, "reason": str, "domain": str}
_NUMBERS = ("value", "ttl")


class OrderDesk:
    """Serves `POST /api/orders`.

    Only JSON is taken: a page of another origin cannot send that without asking the browser, which refuses.

    Args:
        feed: what has been seen.
        send: writes an order.
        clock: the present time, seconds since the Unix epoch.
    """

    def __init__(self, feed: Feed, send: Send, clock: Callable[[], float]) -> None:
        self._feed, self._send, self._clock = feed, send, clock

    async def take(self, request: web.Request) -> web.Response:
        """Check an order and write it."""
        if request.content_type != "application/json":
            return _answer({"error": "an order is sent as application/json"}, 415)
        try:
            order = made(
                _read(await request.read()), scopes(self._feed.view()), order_id=uuid4().hex, now=self._clock()
            )
            await asyncio.get_running_loop().run_in_executor(None, self._send, order)
        except ConfigurationError as error:
            return _answer({"error": str(error)}, 400)
        except BrokerUnavailable as error:
            return _answer({"error": str(error)}, 503)
        return _answer({"order_id": order.order_id}, 202)


def _read(body: bytes) -> Wanted:
    try:
        given: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"the order is not JSON: {error}") from error
    if not isinstance(given, Mapping):
        raise ConfigurationError("the order must be an object")
    fields = cast("Mapping[str, Any]", given)
    for name, value in fields.items():
        if name in _WORDS:
            fits = isinstance(value, str)
        elif name in _NUMBERS:
            fits = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        else:
            raise ConfigurationError(f"an order has no {name!r}; it has {', '.join([*_WORDS, *_NUMBERS])}")
        if not fits:
            raise ConfigurationError(f"{name} cannot be {value!r}")
    if missing := [name for name in ("scope", "action") if not fields.get(name)]:
        raise ConfigurationError(f"the order lacks {', '.join(missing)}")
    return Wanted(**fields)


def _answer(table: Mapping[str, object], status: int) -> web.Response:
    return web.json_response(dict(table), status=status, headers={"Cache-Control": "no-store"})
