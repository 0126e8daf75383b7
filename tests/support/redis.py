"""A Redis source and its replica as plain processes on the loopback interface."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import redis

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker import free_ports

__all__ = ["RedisPair"]

_TIMEOUT = 30.0
_POLL = 0.05
_SETTINGS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0")


class RedisPair:
    """A context manager that runs both servers and removes them."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise ServerUnavailable("no redis-server on the path: apt-get install redis-server")
        self._program = program
        *self._ports, self._nobody = free_ports(3)
        self._folder = Path()
        self._servers: list[subprocess.Popen[bytes]] = []

    @property
    def source_url(self) -> str:
        """Address of the source."""
        return f"redis://127.0.0.1:{self._ports[0]}"

    @property
    def replica_url(self) -> str:
        """Address of the replica."""
        return f"redis://127.0.0.1:{self._ports[1]}"

    def start(self) -> Self:
        """Start both and wait until the replica is linked.

        Raises:
            ServerUnavailable: one does not start; the message carries the end of its log.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="snowshed-redis-"))
        try:
            for number in (0, 1):
                self._start_server(number)
            self.link()
        except BaseException:
            self.stop()
            raise
        return self

    def _start_server(self, number: int) -> None:
        log = self._folder / f"server{number}.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                [self._program, "--port", str(self._ports[number]), "--dir", str(self._folder), *_SETTINGS],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt at the terminal is for the test run, which then stops it
            )
        self._servers.append(server)
        deadline = time.monotonic() + _TIMEOUT
        while not self._answers(number):
            if server.poll() is not None or time.monotonic() > deadline:
                raise ServerUnavailable(f"Redis does not start:\n{log.read_text()[-2000:]}")
            time.sleep(_POLL)

    def _answers(self, number: int) -> bool:
        try:
            self.execute(number, "PING")
        except redis.ConnectionError:
            return False
        return True

    def execute(self, number: int, *command: object) -> Any:
        """Run a command at the source, 0, or the replica, 1."""
        client: Any = redis.Redis(port=self._ports[number], decode_responses=True, socket_timeout=5)
        try:
            return client.execute_command(*command)
        finally:
            client.close()

    def linked(self) -> bool:
        """Whether the replica follows the source."""
        return bool(self.execute(1, "INFO", "replication").get("master_link_status") == "up")

    def link(self) -> None:
        """Let the replica follow the source, and wait until it does."""
        self.execute(1, "REPLICAOF", "127.0.0.1", self._ports[0])
        deadline = time.monotonic() + _TIMEOUT
        while not self.linked():
            if time.monotonic() > deadline:
                raise ServerUnavailable("the Redis replica does not follow its source")
            time.sleep(_POLL)

    def unlink(self) -> None:
        """Point the replica to an address where nobody is: it keeps its data, which grows old."""
        self.execute(1, "REPLICAOF", "127.0.0.1", self._nobody)

    def freeze(self) -> None:
        """Let the replica answer nobody."""
        self._servers[1].send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the replica answer again."""
        self._servers[1].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop both and remove their folder."""
        for server in reversed(self._servers):
            server.kill()
            server.wait(_TIMEOUT)
        self._servers.clear()
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *details: object) -> None:
        self.stop()
