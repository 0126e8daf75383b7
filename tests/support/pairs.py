"""Readings of one dataset through the reporter and level 1, as one agent and one worker would take them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from tests.support.core_rig import wait_until

from snowshed.producers.collectors import Reading, Reporter
from snowshed.producers.collectors.host import host_node
from snowshed.producers.testing import MemoryTransport
from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Lag, LagStatus
from snowshed.streams.folding import Batch, Message
from snowshed.streams.lag import LagState, MarkerFold
from snowshed.streams.policy import LagPolicy, Policy

__all__ = ["Judged"]

_R = TypeVar("_R", bound=Reading)


class Judged:
    """Folds readings as they come.

    Args:
        slo: seconds a replica may be behind.
    """

    def __init__(self, slo: float) -> None:
        self._transport = MemoryTransport()
        self._reporter = Reporter(host_node("host@test"), self._transport)
        self._fold = MarkerFold(Policy(lag=LagPolicy(slo=slo, refresh=0.0)))
        self._state: dict[str, LagState] = {}
        self._codec = Codec()
        self._taken = 0
        self.lags: dict[str, Lag] = {}
        """The newest record of each replica."""

    def take(self, readings: Iterable[_R]) -> list[_R]:
        """Fold what a collector gave, and give it back."""
        held = list(readings)
        for reading in held:
            self._reporter.report(reading)
        now, sent = time.time(), self._transport.sent[self._taken :]
        messages = [
            Message(self._taken + index, now, b"key", self._codec.encode(item.record))
            for index, item in enumerate(sent)
        ]
        decoded = self._fold.decode(messages)
        assert decoded.rejects == ()
        first, self._taken = self._taken, self._taken + len(sent)
        step = self._fold.step(self._state, Batch(0, first, self._taken, 1, now, True, 0.0, decoded.records))
        for key, value in step.changes.items():
            if value is not None:
                self._state[key] = self._fold.load(self._fold.dump(value))
        for emission in step.emissions:
            if isinstance(emission.record, Lag):
                self.lags[emission.record.replica] = emission.record
        return held

    def introduce(self, read: Callable[[], Iterable[Reading]]) -> None:
        """Look at replica r1 until it is judged: a new one that is read late is not called unknown at once."""
        wait_until(lambda: bool(self.take(read())) and "r1" in self.lags, what="the replica is judged")

    def status(self, replica: str) -> LagStatus:
        """The newest status of a replica."""
        return self.lags[replica].status
