"""Snowshed's own protection: the Guard's local brakes, what a worker decides, or both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from snowshed import producers
from snowshed.consumers import DecisionView, Guard, LocalBrakes, ReplicaRouter, WaitQueue
from snowshed.producers.instrument.http_status import outcome_of_status
from snowshed.schemas import KafkaConnection
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import call_context
from snowshed.streams.lab.arrangements.gate import Gate
from snowshed.streams.lab.arrangements.guarded_server import GuardedServer
from snowshed.streams.lab.arrangements.kinds import Here, Send
from snowshed.streams.lab.arrangements.plain import RETRIED
from snowshed.streams.lab.specs import Patience
from snowshed.streams.lab.wire import CallFailed, Reply

__all__ = ["Guarded", "both", "central", "local", "seen"]


class GuardedCaller:
    """Retries within the budget, each attempt through a Guard and reported.

    Args:
        gate: the Guard for the callee.
        callee: the service called.
        telemetry: where calls are reported; None to report nothing.
        random: for the pauses between attempts.
    """

    def __init__(self, gate: Gate, callee: str, telemetry: producers.Telemetry | None, random: Random) -> None:
        self._gate = gate
        self._callee = callee
        self._telemetry = telemetry
        self._random = random

    async def call(self, operation: str, send: Send, patience: Patience) -> Reply:
        """Send until it succeeds, no retry is allowed, or the attempts are used up."""
        number = 0
        while True:
            try:
                return await self._attempt(operation, send, number, patience.timeout)
            except Rejected:
                raise  # whoever refused it did so to be spared, and a layer above may try again
            except RETRIED:
                number += 1
                if number >= patience.attempts or not self._gate.retry_allowed(call_context().attempt + number):
                    raise
            await asyncio.sleep(patience.pause(number, self._random.random()))

    def hit(self, operation: str) -> None:
        """Report that a cache answered in the callee's place."""
        if self._telemetry is not None:
            self._telemetry.recorder.hit(self._callee, operation)

    async def _attempt(self, operation: str, send: Send, number: int, within: float) -> Reply:
        tries = call_context().attempt + number
        if self._telemetry is None:
            with self._gate.admit(operation, tries):
                return await send(number, within)
        with self._telemetry.recorder.call(self._callee, operation, attempt=tries) as timed:
            try:
                with self._gate.admit(operation, tries):
                    return await send(number, within)
            except CallFailed as error:
                timed.outcome = outcome_of_status(error.status)
                raise


class Guarded:
    """An arrangement of Guards.

    Args:
        here: the process.
        is_local: whether local brakes act.
        is_central: whether the process obeys what a worker decides.
        reports: whether it reports to Kafka even if it obeys nothing.
    """

    def __init__(self, here: Here, *, is_local: bool, is_central: bool, reports: bool = False) -> None:
        self._here = here
        self._local = is_local
        self._telemetry: producers.Telemetry | None = None
        self._view: DecisionView | None = None
        if is_central or reports:
            self._telemetry = producers.start(service=here.service, connection=KafkaConnection(here.bootstrap))
        if is_central:
            self._view = DecisionView.connect(KafkaConnection(here.bootstrap), prefix=here.prefix)

    def caller(self, callee: str) -> GuardedCaller:
        """What stands around the calls to a service."""
        random = Random(f"{self._here.service} tries again {self._here.seed}")  # noqa: S311 - reproducible, not secret
        return GuardedCaller(self._gate(callee, self._here.service), callee, self._telemetry, random)

    def server(self) -> GuardedServer:
        """What stands around the requests served here: local brakes come with a queue of their own."""
        gate = self._gate(self._here.service, "")
        queue = WaitQueue(gate.guard, concurrency=self._here.slots) if self._local else None
        return GuardedServer(gate, queue, self._telemetry)

    @property
    def markers(self) -> producers.MarkerReporter | None:
        """Where replication markers are reported; None to report none."""
        return None if self._telemetry is None else self._telemetry.markers

    @property
    def node(self) -> str:
        """This process's name as a node."""
        return "" if self._telemetry is None else self._telemetry.heartbeat.node.name

    def choose(self, dataset: str, primary: str, replica: str) -> Callable[[], str] | None:
        """What names the server for each read of a dataset; None without decisions to obey."""
        if self._view is None:
            return None
        return ReplicaRouter(dataset, {primary: primary, replica: replica}, primary, self._view).choose_name

    def close(self) -> None:
        """Say good-bye and stop following."""
        if self._view is not None:
            self._view.close()
        if self._telemetry is not None:
            self._telemetry.stop()

    def _gate(self, scope: str, caller: str) -> Gate:
        brakes = LocalBrakes.off()
        if self._local:
            brakes = LocalBrakes.for_callers() if caller else LocalBrakes.for_services()
        return Gate(Guard(scope, view=self._view, caller=caller, local=brakes), local=self._local)


def seen(here: Here) -> Guarded:
    """The arrangement `seen`: it reports to Kafka and obeys nothing."""
    return Guarded(here, is_local=False, is_central=False, reports=True)


def local(here: Here) -> Guarded:
    """The arrangement `local`: brakes that need no control plane."""
    return Guarded(here, is_local=True, is_central=False)


def central(here: Here) -> Guarded:
    """The arrangement `central`: only what a worker decides."""
    return Guarded(here, is_local=False, is_central=True)


def both(here: Here) -> Guarded:
    """The arrangement `both`."""
    return Guarded(here, is_local=True, is_central=True)
