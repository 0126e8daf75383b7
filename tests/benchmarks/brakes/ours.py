"""Our local brakes around the lab's calls and services, each as its documentation recommends; no control plane."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.consumers import Guard, LocalBrakes, WaitQueue
from snowshed.consumers.around import Backoff, retrying
from snowshed.streams.lab.arrangements import Here, Send, Work
from snowshed.streams.lab.specs import Patience
from snowshed.streams.lab.wire import CallFailed, Reply, Request

__all__ = ["guarded", "with_callers"]

_RETRIED = (TimeoutError, ConnectionError, CallFailed)


@dataclass(frozen=True, slots=True)
class _Caller:
    guard: Guard

    async def call(self, operation: str, send: Send, patience: Patience) -> Reply:
        """Retries outside, the Guard inside; what the callee refuses is left to the layer above."""

        @retrying(self.guard, on=_RETRIED, attempts=patience.attempts, backoff=Backoff(first=0.1))
        async def attempted() -> Reply:
            async with self.guard(operation) as permit:
                within = patience.timeout if permit.timeout is None else min(patience.timeout, permit.timeout)
                return await send(0, within)  # retrying has put the attempt's number into the context

        return await attempted()

    def hit(self, operation: str) -> None:
        """Nothing to count."""


@dataclass(frozen=True, slots=True)
class _Server:
    queue: WaitQueue

    async def serve(self, request: Request, work: Work) -> Reply:
        """Waits in the bounded queue instead of the service's own."""
        async with self.queue.enter(request.operation):
            return await work()


@dataclass(frozen=True, slots=True)
class _Guarded:
    here: Here
    callers: LocalBrakes

    def caller(self, callee: str) -> _Caller:
        """A client's brakes."""
        return _Caller(Guard(callee, caller=self.here.service, local=self.callers))

    def server(self) -> _Server:
        """A server's brakes."""
        guard = Guard(self.here.service, local=LocalBrakes.for_services())
        return _Server(WaitQueue(guard, concurrency=self.here.slots))

    def close(self) -> None:
        """Nothing to let go of."""


def guarded(here: Here) -> _Guarded:
    """Queue, classes and limit at the services; at the callers what a Guard has by itself, and retries."""
    return _Guarded(here, LocalBrakes())


def with_callers(here: Here) -> _Guarded:
    """The same, and at the callers the callee's cursor and a limit, which knows no classes."""
    return _Guarded(here, LocalBrakes.for_callers())
