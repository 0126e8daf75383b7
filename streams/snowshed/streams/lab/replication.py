"""A store that ships what is written to it, and one that applies it at a bounded rate and answers reads out of date."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol, runtime_checkable

from snowshed.producers import MarkerReporter
from snowshed.streams.lab.arrangements import Arrangement
from snowshed.streams.lab.link import Lines
from snowshed.streams.lab.specs import StoreSpec
from snowshed.streams.lab.wire import Request

__all__ = ["APPLY", "READ", "WRITE", "Store", "reporter"]

APPLY, READ, WRITE = "apply", "read", "write"
_HOST = "127.0.0.1"
_AGAIN = 0.05
_ROW_PERIOD = 0.5
"""Seconds between the rows that markers tell of."""


@runtime_checkable
class Marking(Protocol):
    """An arrangement that reports replication markers."""

    @property
    def markers(self) -> MarkerReporter | None:
        """Where they are reported; None to report none."""
        ...

    @property
    def node(self) -> str:
        """This process's name as a node."""
        ...


def reporter(protection: Arrangement) -> Marking | None:
    """The arrangement itself where it reports markers."""
    return protection if isinstance(protection, Marking) and protection.markers is not None else None


class Store:
    """A leader's log or a follower's apply thread; made in its event loop.

    Args:
        name: the server.
        spec: what it replicates.
        ports: loopback port by service.
        marking: where markers are reported.
    """

    def __init__(self, name: str, spec: StoreSpec, ports: dict[str, int], marking: Marking | None) -> None:
        self._name = name
        self._spec = spec
        self._marking = marking
        self._log: deque[tuple[float, int, str]] = deque()
        """What is not applied yet: when it was written, the marker's row if it is one, and its writer."""
        self._arrived = asyncio.Event()
        self._followers: list[Lines] = []
        self._rows = 0
        work = self._lead(ports) if spec.followers else self._apply()
        self._task = asyncio.get_running_loop().create_task(work)

    def close(self) -> None:
        """Replicate no more."""
        self._task.cancel()
        for lines in self._followers:
            lines.close()

    def wrote(self, row: int = 0, writer: str = "") -> None:
        """Ship what was written just now."""
        entry = Request(0, APPLY, row, {"at": repr(time.time()), "writer": writer}).encode()
        for lines in self._followers:
            lines.say(entry)

    def take(self, entry: Request) -> None:
        """Put an entry of the leader's log in the line to be applied."""
        self._log.append((float(entry.headers["at"]), entry.key, entry.headers["writer"]))
        self._arrived.set()

    @property
    def age(self) -> float:
        """Seconds by which what is read here may be out of date: none at a leader."""
        return max(0.0, time.time() - self._log[0][0]) if self._log else 0.0

    async def _lead(self, ports: dict[str, int]) -> None:
        for follower in self._spec.followers:
            self._followers.append(await _connected(ports[follower]))
        while True:
            await asyncio.sleep(_ROW_PERIOD)
            self._mark()

    def _mark(self) -> None:
        self._rows += 1
        writer = ""
        if self._marking is not None and self._marking.markers is not None:
            writer = self._marking.node
            self._marking.markers.written(
                self._spec.dataset,
                self._name,
                version=float(self._rows),
                written_at=time.time(),
                row_period=_ROW_PERIOD,
                system="lab",
            )
        self.wrote(self._rows, writer)

    async def _apply(self) -> None:
        """Apply one entry after another, each for its share of a second; late timers cost nothing."""
        done = time.monotonic()
        while True:
            while not self._log:
                self._arrived.clear()
                await self._arrived.wait()
            done = max(done, time.monotonic() - _ROW_PERIOD) + 1.0 / self._spec.apply_rate
            await asyncio.sleep(max(0.0, done - time.monotonic()))
            written_at, row, writer = self._log.popleft()
            if row:
                self._saw(written_at, row, writer)

    def _saw(self, written_at: float, row: int, writer: str) -> None:
        if self._marking is None or self._marking.markers is None:
            return
        self._marking.markers.seen(
            self._spec.dataset,
            self._name,
            version=float(row),
            writer=writer,
            written_at=written_at,
            seen_at=time.time(),
            poll_period=_ROW_PERIOD,
            row_period=_ROW_PERIOD,
            system="lab",
        )


async def _connected(port: int) -> Lines:
    """A connection to a follower, which may not listen yet."""
    while True:
        try:
            _, lines = await asyncio.get_running_loop().create_connection(lambda: Lines(_unheard), _HOST, port)
        except ConnectionRefusedError:
            await asyncio.sleep(_AGAIN)
        else:
            return lines


def _unheard(_lines: Lines, _line: bytes) -> None:
    """A follower answers nothing."""
