"""The tutorial's client: a steady stream of orders, each resent at once when it fails, which no client should do.

Run it with `python docs/examples/flood.py http://127.0.0.1:8000 --rate 60 --retries 4`; it stops by itself after
`--seconds`. SNOWSHED_BOOTSTRAP says where it reports what it sees.
"""

import argparse
import asyncio
from collections import Counter

import httpx

from snowshed import producers
from snowshed.producers.instrument.httpx import AsyncTelemetryTransport
from snowshed.schemas.propagation import attempt

answers: Counter[str] = Counter()


async def order(client: httpx.AsyncClient, url: str, retries: int) -> None:
    """One order: a first attempt and its immediate resends."""
    for number in range(retries + 1):
        try:
            with attempt(number):
                response = await client.get(f"{url}/orders")
        except httpx.HTTPError as error:
            answers[type(error).__name__] += 1
        else:
            answers[str(response.status_code)] += 1
            if response.is_success:
                return


async def flood(url: str, callee: str, rate: float, retries: int, seconds: float) -> None:
    """Begin an order every `1 / rate` seconds, whether or not the ones before have been answered."""
    telemetry = producers.start(service="web")
    limits = httpx.Limits(max_connections=400, max_keepalive_connections=100)
    transport = AsyncTelemetryTransport(httpx.AsyncHTTPTransport(limits=limits), telemetry, callee=callee)
    with telemetry:
        async with httpx.AsyncClient(transport=transport, timeout=0.5) as client, asyncio.TaskGroup() as group:
            for _ in range(int(rate * seconds)):
                group.create_task(order(client, url, retries))
                await asyncio.sleep(1 / rate)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--callee", default="shop", help="name of the service called")
    parser.add_argument("--rate", type=float, default=60, help="orders a second")
    parser.add_argument("--retries", type=int, default=4, help="resends of a failed order")
    parser.add_argument("--seconds", type=float, default=60, help="how long to go on")
    arguments = parser.parse_args()
    asyncio.run(flood(arguments.url, arguments.callee, arguments.rate, arguments.retries, arguments.seconds))
    print(dict(answers))
