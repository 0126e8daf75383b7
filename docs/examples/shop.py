"""The tutorial's service: it reports itself, obeys decisions, and reads from a replica that is fresh enough.

Run it with `uvicorn --app-dir docs/examples shop:app`. SNOWSHED_BOOTSTRAP says where Kafka is, ORDERS_PRIMARY and
ORDERS_REPLICA where the database's two servers are.

GET /orders answers after the time that one of its few workers needs. GET /status tells what it obeys.
POST /work?seconds=0.5 makes every order slower: the fault that the tutorial injects.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import psycopg

from snowshed import producers
from snowshed.consumers import DecisionView, Guard, ReplicaRouter
from snowshed.consumers.integrations.asgi import GuardMiddleware
from snowshed.producers.instrument.asgi import TelemetryMiddleware
from snowshed.schemas import KafkaConnection

Message = MutableMapping[str, Any]
"""A request's scope or an event, as ASGI has them."""
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

WORKERS = 8

NAME = os.environ.get("SHOP_NAME", "shop")

telemetry = producers.start(service=NAME)
view = DecisionView.connect(KafkaConnection.from_env(), prefix=os.environ.get("SNOWSHED_PREFIX", "snowshed"))
guard = Guard(NAME, view=view)
router = ReplicaRouter(
    "orders",
    {"primary": os.environ.get("ORDERS_PRIMARY", ""), "r1": os.environ.get("ORDERS_REPLICA", "")},
    primary="primary",
    view=view,
)
workers = asyncio.Semaphore(WORKERS)
seconds_an_order = 0.01


async def orders() -> dict[str, str]:
    """Do the work of one order and say which server it was read from."""
    server = router.choose_name()
    async with workers:
        await asyncio.sleep(seconds_an_order)
    return {"server": server}


async def count() -> dict[str, int | None]:
    """Read from the database, from whichever server is fresh enough."""
    async with await psycopg.AsyncConnection.connect(router.choose()) as connection:
        row = await (await connection.execute("select count(*) from pgbench_accounts")).fetchone()
    return {"accounts": row[0] if row else None}


def status() -> dict[str, object]:
    """What this process obeys and what its Guard has done."""
    stats, obeyed = guard.stats, guard.effective
    return {
        "reads": router.choose_name(),
        "retry_budget": obeyed.retry_budget,
        "rate_limited": obeyed.limits_rate,
        "degrade_level": obeyed.degrade_level,
        "decisions": obeyed.decision_ids,
        "admitted": stats.admitted,
        "rejected": {brake.value: number for brake, number in stats.rejected.items()},
        "explanation": view.explain(NAME),
    }


def work(query: str) -> dict[str, float]:
    """Change how long an order takes."""
    global seconds_an_order  # noqa: PLW0603 the knob of a toy
    seconds_an_order = float(parse_qs(query)["seconds"][0])
    return {"seconds_an_order": seconds_an_order}


async def shop(scope: Message, receive: Receive, send: Send) -> None:
    """The application itself."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    answer: Mapping[str, object]
    match scope["path"]:
        case "/orders":
            answer = await orders()
        case "/count":
            answer = await count()
        case "/work":
            answer = work(scope["query_string"].decode())
        case _:
            answer = status()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


async def lifespan(receive: Receive, send: Send) -> None:
    """Say good-bye to the fleet when the server stops."""
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    view.close()
    telemetry.stop()
    await send({"type": "lifespan.shutdown.complete"})


app = TelemetryMiddleware(GuardMiddleware(shop, guard, exempt_paths=("/status", "/work")), telemetry)
