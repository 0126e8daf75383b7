"""The outside of the lab: requests that arrive at random, however long the ones before take."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import COHORTS, CallContext, use_context
from snowshed.streams.lab.arrangements import Here, arrangement
from snowshed.streams.lab.caller import Calls
from snowshed.streams.lab.child import Child
from snowshed.streams.lab.draws import arrivals, zipf
from snowshed.streams.lab.measure import Outcome
from snowshed.streams.lab.reports import Reports
from snowshed.streams.lab.specs import ClassSpec, LoadSpec, Place
from snowshed.streams.lab.wire import CallFailed

__all__ = ["Load", "apply_load"]


class Load:
    """Sends requests and keeps how each ended; made in its event loop.

    Args:
        spec: what arrives.
        seed: of the arrivals.
        calls: to the services that are asked, by name.
    """

    def __init__(self, spec: LoadSpec, seed: int, calls: Mapping[str, Calls]) -> None:
        self._spec = spec
        self._seed = seed
        self._calls = calls
        self._start = 0.0
        self._due: Counter[int] = Counter()
        self._late = 0.0
        self._ended: list[tuple[int, float, float, str, str]] = []
        self._open: dict[asyncio.Task[None], tuple[ClassSpec, float]] = {}

    async def run(self, start: float) -> None:
        """Send everything, from a moment on, and wait as long as one attempt may take for what is still open."""
        self._start = start
        await asyncio.gather(*(self._send(one) for one in self._spec.classes))
        if self._open:
            await asyncio.wait(self._open, timeout=self._spec.patience.timeout)

    def report(self) -> dict[str, Any]:
        """What was due, how late it was sent, what has ended and how many attempts were sent since the last report."""
        due, self._due = self._due, Counter()
        ended, self._ended = self._ended, []
        late, self._late = self._late, 0.0
        attempts = sum(calls.sent() for calls in self._calls.values())
        return {"due": due, "late": late, "ended": ended, "attempts": attempts}

    def abandon(self) -> None:
        """Count what has not ended as open."""
        now = time.monotonic() - self._start
        for task, (one, intended) in list(self._open.items()):
            task.cancel()
            self._ended.append((one.criticality, intended, now, Outcome.OPEN.value, one.callee))

    async def _send(self, one: ClassSpec) -> None:
        name = f"{self._spec.caller} sends {one.criticality.name}{one.callee and f' to {one.callee}'} {self._seed}"
        random = Random(name)  # noqa: S311 - reproducible, not secret
        keys = zipf(self._spec.keys, self._spec.skew, Random(f"{name} keys"))  # noqa: S311 - likewise
        cohorts = Random(f"{name} cohorts")  # noqa: S311 - likewise
        for intended in arrivals(self._spec, one, random):
            wait = self._start + intended - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            self._due[one.criticality] += 1
            self._late = max(self._late, time.monotonic() - self._start - intended)
            request = self._request(one, cohorts.randrange(COHORTS), intended, next(keys))
            task = asyncio.get_running_loop().create_task(request)
            self._open[task] = (one, intended)
            task.add_done_callback(self._open.pop)

    async def _request(self, one: ClassSpec, cohort: int, intended: float, key: int) -> None:
        root = one.callee or self._spec.operation
        with use_context(CallContext(root_api=root, criticality=one.criticality, cohort=cohort)):
            outcome = await self._outcome(self._calls[one.callee or self._spec.callee], key)
        ended = time.monotonic() - self._start
        self._ended.append((one.criticality, intended, ended, outcome.value, one.callee))

    async def _outcome(self, calls: Calls, key: int) -> Outcome:
        try:
            reply = await calls.call(self._spec.operation, key, self._spec.patience)
        except TimeoutError:
            return Outcome.TIMEOUT
        except Rejected:
            return Outcome.REFUSED
        except (ConnectionError, CallFailed):
            return Outcome.FAILED
        limit = self._spec.stale_after
        return Outcome.OK if limit is None or reply.age <= limit else Outcome.STALE


async def apply_load(spec: LoadSpec, place: Place, child: Child) -> None:
    """Be the outside until everything was sent and has ended."""
    here = Here(service=spec.caller, slots=0, bootstrap=place.bootstrap, prefix=place.prefix, seed=place.seed)
    protection = arrangement(place.protect, here)
    calls = {name: Calls(spec.caller, name, place.ports[name], protection) for name in sorted(spec.callees)}
    load = Load(spec, place.seed, calls)
    reports = Reports(child, load.report)
    begin: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def obey(order: dict[str, Any]) -> None:
        reports.obey(order)
        if "start" in order:
            begin.set_result(order["start"])

    child.take = obey
    child.tell(ready=spec.caller)
    ending = asyncio.ensure_future(child.ending.wait())
    work = asyncio.ensure_future(_work(load, begin))
    await asyncio.wait([ending, work], return_when=asyncio.FIRST_COMPLETED)
    work.cancel()
    reports.close()
    load.abandon()
    child.tell(done=True, **load.report())
    await ending
    await asyncio.to_thread(protection.close)


async def _work(load: Load, begin: asyncio.Future[float]) -> None:
    await load.run(await begin)
