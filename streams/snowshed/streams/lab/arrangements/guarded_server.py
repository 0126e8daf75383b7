"""Serves what a Guard admits, and reports it."""

from __future__ import annotations

import time
from dataclasses import replace

from snowshed import producers
from snowshed.consumers import WaitQueue
from snowshed.producers.inbound import serving
from snowshed.producers.instrument.http_status import outcome_of_status
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import call_context
from snowshed.schemas.records import Vantage
from snowshed.streams.lab.arrangements.gate import Gate
from snowshed.streams.lab.arrangements.kinds import Work
from snowshed.streams.lab.wire import CallFailed, Reply, Request

__all__ = ["GuardedServer"]


class GuardedServer:
    """Admits requests through a Guard and reports them.

    Args:
        gate: the Guard for this service.
        queue: where requests wait; None to let them wait in the service itself, behind the Guard.
        telemetry: where requests are reported; None to report nothing.
    """

    def __init__(self, gate: Gate, queue: WaitQueue | None, telemetry: producers.Telemetry | None) -> None:
        self._gate = gate
        self._queue = queue
        self._telemetry = telemetry

    async def serve(self, request: Request, work: Work) -> Reply:
        """Serve a request that is admitted."""
        if self._telemetry is None:
            return await self._admitted(request, work)
        timing = self._telemetry.recorder.call(
            self._gate.guard.scope, request.operation, caller=call_context().caller, vantage=Vantage.CALLEE
        )
        with serving() as inbound, timing as timed:
            arrived = time.monotonic()
            try:
                reply = await self._admitted(request, work)
            except (TimeoutError, ConnectionError, CallFailed):
                timed.outcome = outcome_of_status(500, downstream=inbound.dependency_failed)
                raise
            except Rejected:
                timed.queue_delay = time.monotonic() - arrived
                raise
            timed.queue_delay = reply.queued
            return reply

    async def _admitted(self, request: Request, work: Work) -> Reply:
        if self._queue is None:
            with self._gate.admit(request.operation, call_context().attempt):
                return await work()
        arrived = time.monotonic()
        async with self._queue.enter(request.operation):
            waited = time.monotonic() - arrived
            reply = await work()
        return replace(reply, queued=reply.queued + waited)
