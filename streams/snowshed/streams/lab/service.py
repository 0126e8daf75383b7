"""A service of the lab: it works by sleeping in a slot, calls others, and tells each second what it has done."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import call_context, parse, use_context
from snowshed.streams.lab.arrangements import Arrangement, Here, arrangement
from snowshed.streams.lab.caller import Calls
from snowshed.streams.lab.child import Child
from snowshed.streams.lab.link import Lines
from snowshed.streams.lab.reading import chooser
from snowshed.streams.lab.replication import APPLY, WRITE, Store, reporter
from snowshed.streams.lab.reports import Reports
from snowshed.streams.lab.specs import Downstream, Place, ServiceSpec
from snowshed.streams.lab.station import Station, Turn
from snowshed.streams.lab.wire import CallFailed, Reply, Request

__all__ = ["Counts", "Service", "serve"]

_HOST = "127.0.0.1"
_REFUSED, _FAILED, _DOWNSTREAM, _LATE = 429, 500, 502, 504


@dataclass(slots=True)
class Counts:
    """What a service has done since its last report."""

    received: int = 0
    first: int = 0
    """First attempts among them."""
    ok: int = 0
    late: int = 0
    """Answered when nobody waited any longer; counted among `ok` too."""
    refused: int = 0
    failed: int = 0
    hits: int = 0
    """Answered from the cache."""


class Service:
    """Serves requests; made in its event loop.

    Args:
        spec: what it is.
        place: where it finds what it needs.
        protection: what stands around its requests and calls.
    """

    def __init__(self, spec: ServiceSpec, place: Place, protection: Arrangement) -> None:
        random = Random(f"{spec.name} works {place.seed}")  # noqa: S311 - reproducible, not secret
        self._spec = spec
        self._protected = protection.server()
        self._tasks: set[asyncio.Task[None]] = set()
        callees = {name for one in spec.calls for name in (one.callee, one.replica) if name}
        self._calls = {name: Calls(spec.name, name, place.ports[name], protection) for name in sorted(callees)}
        self._choose = {one: chooser(protection, one) for one in spec.calls}
        ports = dict(place.ports)
        self._store = Store(spec.name, spec.store, ports, reporter(protection)) if spec.store is not None else None
        self._cached = set(range(spec.cache.keys)) if spec.cache is not None else set[int]()
        self.station = Station(spec.slots, spec.service_time, lambda: random.expovariate(1.0), spec.heap)
        self.counts = Counts()

    def hear(self, lines: Lines, line: bytes) -> None:
        """Take a request off a connection; its answer goes back there."""
        request = Request.decode(line)
        if self._store is not None and request.operation == APPLY:
            self._store.take(request)
            return
        task = asyncio.get_running_loop().create_task(self._answer(lines, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def obey(self, order: dict[str, Any]) -> None:
        """Change the share of the capacity that is left (`capacity`), or empty the cache (`flush`)."""
        self.station.factor = order.get("capacity", self.station.factor)
        if order.get("flush"):
            self._cached.clear()

    def report(self) -> dict[str, Any]:
        """What was done since the last report, and what waits."""
        counts, self.counts = self.counts, Counts()
        sent = {callee: calls.sent() for callee, calls in self._calls.items()}
        return {**asdict(counts), "queue": self.station.queue, "sent": sent}

    async def _answer(self, lines: Lines, request: Request) -> None:
        arrived = time.monotonic()
        context = parse(request.headers, arrived)
        counts = self.counts
        counts.received += 1
        counts.first += not context.attempt
        with use_context(context):
            reply = await self._status(request, arrived)
        if reply.status == 200 and context.deadline is not None and time.monotonic() > context.deadline:
            self.counts.late += 1
        lines.say(reply.encode())

    async def _status(self, request: Request, arrived: float) -> Reply:
        try:
            reply = await self._protected.serve(request, lambda: self._work(request, arrived))
        except Rejected as refused:
            self.counts.refused += 1
            return Reply(request.number, _REFUSED, retry_after=refused.retry_after)
        except TimeoutError:
            self.counts.failed += 1
            return Reply(request.number, _LATE)
        except MemoryError:
            self.counts.failed += 1
            return Reply(request.number, _FAILED)
        except (ConnectionError, CallFailed):
            self.counts.failed += 1
            return Reply(request.number, _DOWNSTREAM)
        self.counts.ok += 1
        return reply

    async def _work(self, request: Request, arrived: float) -> Reply:
        turn = await self.station.enter(arrived)
        try:
            age = await self._worked(request, turn)
        finally:
            # Time that was spent waiting for others is real; time spent working alone is the station's own.
            self.station.leave(time.monotonic() if self._spec.calls else turn.begun)
        return Reply(request.number, queued=turn.queued, age=age)

    async def _worked(self, request: Request, turn: Turn) -> float:
        """Work on a request; how old its answer is."""
        deadline = call_context().deadline
        if self._spec.cancels and deadline is not None and time.monotonic() > deadline:
            raise TimeoutError
        await self.station.work(turn)
        if self._store is not None:
            return self._stored(self._store, request)
        return await self._ask(request) if self._spec.calls else 0.0

    def _stored(self, store: Store, request: Request) -> float:
        if request.operation == WRITE:
            store.wrote()
        return store.age

    async def _ask(self, request: Request) -> float:
        if request.key in self._cached:
            self.counts.hits += 1
            for one in self._spec.calls:
                self._calls[one.callee].hit(one.operation)
            return 0.0
        age = 0.0
        for one in self._spec.calls:
            for _ in range(one.times):
                age = max(age, await self._call(one, request.key))
        if self._spec.cache is not None:
            self._cached.add(request.key)
        return age

    async def _call(self, one: Downstream, key: int) -> float:
        try:
            reply = await self._calls[self._choose[one]()].call(one.operation, key, one.patience)
        except Rejected as refused:  # the callee's refusal is not ours: whoever called us must not take it for one
            raise CallFailed(one.callee, _DOWNSTREAM) from refused
        return reply.age

    def close(self) -> None:
        """End all connections that it opened."""
        for calls in self._calls.values():
            calls.close()
        if self._store is not None:
            self._store.close()


async def serve(spec: ServiceSpec, place: Place, child: Child) -> None:
    """Be this service until it is time to end."""
    loop = asyncio.get_running_loop()
    here = Here(service=spec.name, slots=spec.slots, bootstrap=place.bootstrap, prefix=place.prefix, seed=place.seed)
    protection = arrangement(place.protect, here)
    service = Service(spec, place, protection)
    server = await loop.create_server(lambda: Lines(service.hear), _HOST, place.ports[spec.name])
    reports = Reports(child, service.report)

    def obey(order: dict[str, Any]) -> None:
        reports.obey(order)
        service.obey(order)

    child.take = obey
    child.tell(ready=spec.name)
    await child.ending.wait()
    server.close()
    service.close()
    reports.close()
    await asyncio.to_thread(protection.close)
