"""Keeps what the processes of an arrangement tell, and passes it on second by second."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from snowshed.streams.lab.measure import Ended, Outcome
from snowshed.streams.lab.played import Listener, Note, Played, Tick
from snowshed.streams.lab.scenario import Scenario

__all__ = ["Ledger"]


class Ledger:
    """The memory of one arrangement; made in the event loop of the process that plays it.

    Args:
        scenario: what is played.
        listener: told of every second and every note as it comes.
    """

    def __init__(self, scenario: Scenario, listener: Listener) -> None:
        self._scenario = scenario
        self._listener = listener
        self._ended: list[Ended] = []
        self._ticks: list[Tick] = []
        self._notes: list[Note] = []
        self._queues: dict[str, int] = {}
        self._received: Counter[str] = Counter()
        self._late = 0.0
        self.done = asyncio.Event()
        """Set when the load has told everything."""

    def note(self, note: Note) -> None:
        """Something has happened."""
        self._notes.append(note)
        self._listener(note)

    def from_service(self, name: str, message: dict[str, Any]) -> None:
        """A service tells what it did in a second."""
        self._queues[name] = message["queue"]
        if message["second"] >= int(self._scenario.trouble[0]):
            self._received[name] += message["received"]

    def from_load(self, message: dict[str, Any]) -> None:
        """The load tells how requests ended."""
        ended = [Ended(of, due, at, Outcome(outcome), to) for of, due, at, outcome, to in message["ended"]]
        self._ended += ended
        self._late = max(self._late, message["late"])
        if "second" in message:
            self._tick(message, ended)
        if "done" in message:
            self.done.set()

    @property
    def seconds(self) -> int:
        """How many seconds the load has told of."""
        return len(self._ticks)

    def closed(self, protect: str, seed: int) -> Played:
        """All of it, when the run is over."""
        return Played(
            scenario=self._scenario,
            protect=protect,
            seed=seed,
            ended=tuple(self._ended),
            ticks=tuple(self._ticks),
            notes=tuple(self._notes),
            received=dict(self._received),
            late=self._late,
        )

    def _tick(self, message: dict[str, Any], ended: list[Ended]) -> None:
        if message["second"] >= self._scenario.seconds:
            return
        tick = Tick(
            second=message["second"],
            offered=sum(message["due"].values()),
            good=sum(one.outcome is Outcome.OK for one in ended),
            attempts=message["attempts"],
            queues=dict(self._queues),
        )
        self._ticks.append(tick)
        self._listener(tick)
