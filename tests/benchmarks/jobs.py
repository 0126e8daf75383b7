"""The processes that benchmarks start and watch."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families
from tests.benchmarks.stage import Stage

from snowshed.streams.broker import free_ports
from snowshed.streams.broker.jvm import ending_with_parent

__all__ = ["Job", "Worker"]

_STOP_SECONDS = 20.0
_READY_SECONDS = 90.0


class Job:
    """A process whose output goes to a file; a context manager that starts and stops it.

    Args:
        name: used for the file's name and in messages.
        command: the argument list.
        folder: where the file lies; also the working directory.
        environment: variables added to this process's own.
    """

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._command = ending_with_parent([*command])
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._watched = psutil.Process(self._process.pid)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def check(self) -> None:
        """See that the process still runs.

        Raises:
            RuntimeError: it has ended; the message carries the end of its output.
        """
        if (code := self._process.poll()) is not None:
            raise RuntimeError(f"{self.name} ended with {code}:\n{self._log.read_text(errors='replace')[-3000:]}")

    @property
    def cpu_seconds(self) -> float:
        """Processor time it has used so far."""
        times = self._watched.cpu_times()
        return float(times.user + times.system)

    @property
    def resident(self) -> int:
        """Bytes of its memory that are in core."""
        return int(self._watched.memory_info().rss)


class Worker(Job):
    """A Snowshed worker.

    Args:
        stage: the run.
        prefix: of all topic names.
        app: the consumer group.
        command: what runs it, `snowshed worker` unless given.
        settings: further SNOWSHED_* settings by their lower-case names.
    """

    def __init__(
        self, stage: Stage, prefix: str, app: str, command: Sequence[str] | None = None, **settings: str
    ) -> None:
        (port,) = free_ports(1)
        self._page = f"http://127.0.0.1:{port}"
        given = {
            "bootstrap": stage.broker.bootstrap,
            "prefix": prefix,
            "app": app,
            "web_port": str(port),
            "log_level": "warning",
            **settings,
        }
        super().__init__(
            app,
            command or [sys.executable, "-m", "snowshed.streams.cli", "worker"],
            stage.folder,
            {f"SNOWSHED_{name.upper()}": value for name, value in given.items()},
        )

    def wait_ready(self) -> None:
        """Wait until all its lanes are open."""
        deadline = time.monotonic() + _READY_SECONDS
        while not self._ready():
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} was not ready within {_READY_SECONDS:.0f} s")
            time.sleep(0.1)

    def metrics(self, agent: str) -> Mapping[str, float]:
        """The present values of one agent's metrics by name, those of several partitions added up."""
        with urllib.request.urlopen(f"{self._page}/metrics", timeout=10) as answer:  # noqa: S310 - an address of our own
            families = text_string_to_metric_families(answer.read().decode())
            found: defaultdict[str, float] = defaultdict(float)
            for sample in (sample for family in families for sample in family.samples):
                if sample.labels.get("agent") == agent:
                    found[sample.name] += sample.value
        return found

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._page}/readyz", timeout=2) as answer:  # noqa: S310 - as above
                return bool(answer.status == 200)
        except OSError:
            return False
