"""Workers as real processes: started, killed, stopped, frozen; and what the kernel says of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

__all__ = ["Pack", "Vitals", "WorkerProcess"]

_GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a process holds."""

    resident: int
    """Bytes."""
    threads: Mapping[str, int]
    """By name, numbers cut off."""

    @classmethod
    def of(cls, pid: int) -> Self:
        """Read them from /proc."""
        names = Counter[str]()
        for task in Path(f"/proc/{pid}/task").iterdir():
            names[(task / "comm").read_text().strip().rstrip("0123456789-")] += 1
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return cls(pages * os.sysconf("SC_PAGE_SIZE"), names)

    @property
    def clients(self) -> int:
        """librdkafka clients: each has one main thread."""
        return self.threads.get("rdk:main", 0)


@dataclass(slots=True)
class WorkerProcess:
    """One worker."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    started_at: float
    point: str
    """The fail point it is armed with, if any."""
    frozen: bool = False

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    @property
    def stopped(self) -> bool:
        """Whether it has been frozen, perhaps by itself."""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"

    @property
    def vitals(self) -> Vitals:
        """What it holds now."""
        return Vitals.of(self.process.pid)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it has logged since it started."""
        lines = self.log.read_text(errors="replace").rsplit("--- start", 1)[-1].splitlines()
        return [event for line in lines if (event := _event(line)) is not None]

    @property
    def lanes(self) -> int:
        """Lanes it holds by its own log."""
        states = Counter(event["state"] for event in self.events if event.get("event") == "lane_changed")
        return states["fencing"] - states["released"] - states["failed"]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.alive:
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP."""
        self.signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)
        self.frozen = False

    def stop(self) -> int | None:
        """SIGTERM, and wait; the exit code, None if it had to be killed."""
        self.thaw()
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass(slots=True)
class Pack:
    """The workers of one run; none outlives it.

    Args:
        command: starts one.
        environment: of each.
        folder: takes the logs.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    workers: dict[str, WorkerProcess] = field(default_factory=dict[str, WorkerProcess])
    ended: Counter[int] = field(default_factory=Counter[int])
    """Exit codes of those that ended; negative: the signal."""
    _count: int = 0

    def start(self, name: str, extra: Mapping[str, str] | None = None) -> WorkerProcess:
        """Start a worker under a name whose last bearer has ended."""
        assert name not in self.workers or not self.workers[name].alive
        self._count += 1
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            output.write(f"--- start {self._count} {dict(extra or {})}\n".encode())
            output.flush()
            process = subprocess.Popen(
                [sys.executable, *self.command],
                env={**os.environ, **self.environment, **(extra or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        worker = WorkerProcess(name, process, log, time.monotonic(), (extra or {}).get("CHAOS_FAILPOINT", ""))
        self.workers[name] = worker
        return worker

    def bury(self) -> list[WorkerProcess]:
        """Take out those that have ended, and count how."""
        found = [worker for worker in self.workers.values() if not worker.alive]
        for worker in found:
            self.ended[worker.process.wait()] += 1
            del self.workers[worker.name]
        return found

    @property
    def alive(self) -> list[WorkerProcess]:
        """Those that live."""
        return [worker for worker in self.workers.values() if worker.alive]

    def close(self) -> None:
        """Kill what is left."""
        for worker in self.workers.values():
            worker.thaw()
            worker.kill()

    def logged(self, text: str) -> int:
        """How many lines of all logs have `text` in them."""
        return sum(path.read_text(errors="replace").count(text) for path in self.folder.glob("*.log"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _event(line: str) -> dict[str, Any] | None:
    """A line as an event; None for what others print, and for a line that is being written."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None
