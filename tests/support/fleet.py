"""Whole processes on loopback as an operator would run them: workers, agents, the tutorial's service and client."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import httpx
from tests.support.core_rig import wait_until

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import Topics
from snowshed.streams.broker.ports import free_ports
from snowshed.streams.provision import provision

__all__ = ["Fleet", "Running"]

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
WORKER = (sys.executable, "-m", "snowshed.streams.cli", "worker")
_GRACE = 15.0


@dataclass(slots=True)
class Running:
    """A process of ours and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    url: str = ""

    def kill(self) -> float:
        """SIGKILL; the time of death."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return time.time()

    def stop(self, grace: float = _GRACE) -> int:
        """SIGTERM, then SIGKILL; the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(grace)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def get(self, path: str) -> Any:
        """GET a JSON document from the process."""
        answer = httpx.get(f"{self.url}{path}", timeout=5.0)
        answer.raise_for_status()
        return answer.json()

    def answers(self, path: str) -> bool:
        """Whether the process answers with success; a dead process fails the test with its log."""
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.tail()}"
        try:
            return httpx.get(f"{self.url}{path}", timeout=2.0).is_success
        except httpx.HTTPError:
            return False

    def tail(self, lines: int = 40) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass(slots=True)
class Fleet:
    """Processes that share one broker and one topic prefix; all ended on exit."""

    bootstrap: str
    prefix: str
    folder: Path
    partitions: int = 2
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    running: list[Running] = field(default_factory=list[Running])
    files: ExitStack = field(default_factory=ExitStack)

    @property
    def connection(self) -> KafkaConnection:
        return KafkaConnection(self.bootstrap)

    @property
    def topics(self) -> Topics:
        return Topics(self.prefix, partitions=self.partitions, replication=1)

    def worker(self, name: str = "worker", command: Sequence[str] = WORKER) -> Running:
        """A worker whose lanes are all open."""
        provision(self.connection, self.topics)
        [port] = free_ports(1)
        running = self._start(name, command, {"SNOWSHED_WEB_PORT": str(port)}, port)
        wait_until(lambda: running.answers("/readyz"), 60, what=f"{name} is ready")
        return running

    def supervisor(self, command: Sequence[str] = WORKER) -> Running:
        """Two workers under a supervisor, just started; each serves on a free port."""
        return self._start("supervisor", command, {"SNOWSHED_PROCESSES": "2", "SNOWSHED_WEB_PORT": "0"}, 0)

    def agent(self, *options: str) -> Running:
        """A host agent."""
        return self._start("agent", [sys.executable, "-m", "snowshed.streams.cli", "agent", *options], {}, 0)

    def shop(self, *, node: str = "shop-1", service: str = "shop", primary: str = "", replica: str = "") -> Running:
        """The tutorial's service."""
        [port] = free_ports(1)
        command = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "shop:app"]
        environment = {
            "SNOWSHED_NODE": node,
            "SHOP_NAME": service,
            "ORDERS_PRIMARY": primary,
            "ORDERS_REPLICA": replica,
        }
        running = self._start("shop", [*command, "--port", str(port), "--log-level", "warning"], environment, port)
        wait_until(lambda: running.answers("/status"), 30, what="the shop answers")
        return running

    def flood(self, shop: Running, *, rate: float, callee: str = "shop") -> Running:
        """The tutorial's client, with four resends."""
        options = ["--rate", str(rate), "--callee", callee, "--seconds", "600"]
        return self._start("web", [sys.executable, str(EXAMPLES / "flood.py"), shop.url, *options], {}, 0)

    def _start(self, name: str, command: Sequence[str], environment: Mapping[str, str], port: int) -> Running:
        log = self.folder / f"{name}-{len(self.running)}.log"
        output: IO[bytes] = self.files.enter_context(log.open("wb"))
        process = subprocess.Popen(
            command,
            env={**os.environ, **self._environment(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=self.folder,
        )
        running = Running(name, process, log, f"http://127.0.0.1:{port}")
        self.running.append(running)
        return running

    def _environment(self) -> dict[str, str]:
        return {
            "SNOWSHED_BOOTSTRAP": self.bootstrap,
            "SNOWSHED_PREFIX": self.prefix,
            "SNOWSHED_APP": self.prefix,
            "SNOWSHED_PARTITIONS": str(self.partitions),
            "SNOWSHED_LOG_FORMAT": "json",
            **self.settings,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for running in reversed(self.running):
            running.stop()
        self.files.close()
