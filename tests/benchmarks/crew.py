"""Workers that share a group, each by itself or under a supervisor; who holds which lane, by what they log."""

from __future__ import annotations

import json
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from tests.chaos.processes import Pack

__all__ = ["Crew", "Opening", "Pair", "Supervised", "await_that"]

_COMMAND = ("-m", "snowshed.streams.cli", "worker")
_LANE = "heartbeats-"
_CALM_SECONDS = 2.0
_PATIENCE = 120.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Opening:
    """A lane of the heartbeats' agent that opened."""

    at: float
    """Wall time."""
    partition: int
    pid: int


def await_that(condition: Callable[[], bool], what: str) -> None:
    """Wait until it holds.

    Raises:
        TimeoutError: it never does.
    """
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {_PATIENCE:.0f} s: {what}")
        time.sleep(_LOOK_SECONDS)


class Crew(ABC):
    """Two workers.

    Args:
        partitions: of the heartbeats.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions

    @abstractmethod
    def events(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """What the workers have logged, and the process id of each."""

    @abstractmethod
    def alive(self) -> set[int]:
        """The process ids of the workers that run."""

    @abstractmethod
    def mend(self) -> None:
        """See that there are two again."""

    def openings(self) -> list[Opening]:
        """All lanes that opened so far, in the order in which they did."""
        found = [
            Opening(_time(event), int(event["lane"].removeprefix(_LANE)), pid)
            for pid, event in self.events()
            if event["event"] == "lane_changed" and event["state"] == "open" and event["lane"].startswith(_LANE)
        ]
        return sorted(found, key=lambda opening: opening.at)

    def holders(self) -> dict[int, int]:
        """The worker that opened each partition last, by partition."""
        return {opening.partition: opening.pid for opening in self.openings()}

    def settle(self) -> None:
        """Wait until two workers have shared the work for a while.

        Raises:
            TimeoutError: they never do.
        """
        await_that(self._settled, "two workers share the lanes")

    def _settled(self) -> bool:
        alive, holders = self.alive(), self.holders()
        changes = [(_time(event), pid) for pid, event in self.events() if event["event"] == "lane_changed"]
        working = {pid for _, pid in changes} & alive
        return (
            len(working) == 2
            and len(holders) == self._partitions
            and set(holders.values()) <= alive
            and time.time() - max(changes)[0] > _CALM_SECONDS
        )


class Pair(Crew):
    """Two workers by themselves.

    Args:
        environment: of each.
        folder: takes the logs.
        partitions: of the heartbeats.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path, partitions: int) -> None:
        super().__init__(partitions)
        self._pack, self._count = Pack(_COMMAND, environment, folder), 0

    def __enter__(self) -> Self:
        self.mend()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._pack.alive:
            worker.stop()
        self._pack.close()

    def mend(self) -> None:
        """Start others for those that have ended."""
        self._pack.bury()
        while len(self._pack.alive) < 2:
            self._count += 1
            self._pack.start(f"worker-{self._count}")

    def events(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """What the workers that were not yet replaced have logged."""
        for worker in list(self._pack.workers.values()):
            for event in _events(worker.log):
                yield worker.process.pid, event

    def alive(self) -> set[int]:
        """The process ids of the workers that run."""
        return {worker.process.pid for worker in self._pack.alive}


class Supervised(Crew):
    """Two workers under a supervisor.

    Args:
        environment: of the supervisor.
        folder: takes the log.
        partitions: of the heartbeats.
        name: of the log, another one for each supervisor.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path, partitions: int, name: str) -> None:
        super().__init__(partitions)
        self._pack = Pack(_COMMAND, {**environment, "SNOWSHED_PROCESSES": "2"}, folder)
        self._name = name

    def __enter__(self) -> Self:
        self._supervisor = self._pack.start(self._name)
        return self

    def __exit__(self, *_: object) -> None:
        if self._supervisor.alive:
            self._supervisor.stop()
        self._pack.close()

    def roll(self) -> None:
        """Have the supervisor restart one worker after the other, and wait until it has."""
        before = self._rolled()
        self._supervisor.signal(signal.SIGHUP)
        await_that(lambda: self._rolled() > before, "the workers are restarted one by one")

    def mend(self) -> None:
        """The supervisor does."""

    def events(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """What the workers have logged; each is another process after a restart."""
        pids: dict[int, int] = {}
        for event in _events(self._supervisor.log):
            if event["event"] == "worker_started":
                pids[event["worker"]] = event["pid"]
            elif event.get("worker") in pids:
                yield pids[event["worker"]], event

    def alive(self) -> set[int]:
        """The process ids of the workers that run."""
        return {pid for pid in {pid for pid, _ in self.events()} if _runs(pid)}

    def _rolled(self) -> int:
        return sum(event["event"] == "rolling_restart_done" for event in _events(self._supervisor.log))


def _events(log: Path) -> list[dict[str, Any]]:
    # The last line may not be whole yet.
    lines = log.read_text(errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def _time(event: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(event["timestamp"]).timestamp()


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
