"""Starts and ends the lab's processes; none outlives this one, however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import orjson

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.lab.specs import LoadSpec, Place, ProxySpec, ServiceSpec, dump

__all__ = ["Hear", "Process", "Spec", "child_command", "environment_of"]

_READY_WITHIN = 30.0
_GRACE = 6.0
_LONGEST_LINE = 2**26
_TAIL_LINES = 12

Spec = ServiceSpec | LoadSpec | ProxySpec
_ROLES: Mapping[type, str] = {ServiceSpec: "service", LoadSpec: "load", ProxySpec: "proxy"}

Hear = Callable[[dict[str, Any]], None]


class Process:
    """One process, whose standard input is a pipe that the kernel closes with this process.

    Args:
        name: for messages.
        command: what to run; it must end when its input closes.
        environment: all its variables.
        log: the file that gets its standard error, and its output when nobody hears it.
        hear: called for each line of JSON that it writes; None for a process that writes others.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, hear: Hear | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment
        self._hear = hear
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return None if self.ended else self._running.pid

    @property
    def ended(self) -> bool:
        """Whether it has not been started or has ended."""
        return self._process is None or self._process.returncode is not None

    async def start(self) -> Self:
        """Start it."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=log if self._hear is None else asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment,
                limit=_LONGEST_LINE,
                start_new_session=True,  # an interrupt at the terminal is for the parent, which then stops its children
            )
        if self._hear is not None:
            self._listening = asyncio.create_task(self._listen(self._hear))
        return self

    async def ready(self) -> None:
        """Wait until it says that it is.

        Raises:
            ServerUnavailable: it ended, or took too long.
        """
        ready, ended = asyncio.ensure_future(self._ready.wait()), asyncio.ensure_future(self._running.wait())
        await asyncio.wait([ready, ended], timeout=_READY_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        ready.cancel()
        if not self._ready.is_set():
            raise ServerUnavailable(f"{self.name} did not start; the end of {self.log}:\n{self.tail()}")

    async def ending(self) -> None:
        """Wait for its end."""
        await self._running.wait()

    def order(self, **order: object) -> None:
        """Write it a line."""
        stdin = self._running.stdin
        if stdin is not None and not self.ended:
            stdin.write(orjson.dumps(order, option=orjson.OPT_APPEND_NEWLINE))

    def kill(self) -> None:
        """End it as a crash would."""
        with suppress(ProcessLookupError):
            self._running.kill()

    def freeze(self, *, frozen: bool) -> None:
        """Stop it in its tracks, or let it go on."""
        self._running.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    async def stop(self) -> None:
        """End it in order, or kill it after some seconds."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _GRACE)
        except TimeoutError:
            self.kill()
            await self._process.wait()
        if self._listening is not None:
            await self._listening

    def tail(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").strip().splitlines()[-_TAIL_LINES:])

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ServerUnavailable(f"{self.name} has not been started; call start() first")
        return self._process

    async def _listen(self, hear: Hear) -> None:
        stdout = self._running.stdout
        while stdout is not None and (line := await stdout.readline()):
            message: dict[str, Any] = orjson.loads(line)
            if "ready" in message:
                self._ready.set()
            else:
                hear(message)


def child_command(spec: Spec, place: Place) -> list[str]:
    """What runs a service, the load or a proxy."""
    return [sys.executable, "-m", "snowshed.streams.lab", _ROLES[type(spec)], dump(spec), dump(place)]


def environment_of(place: Place) -> dict[str, str]:
    """The variables of a process: this one's, but of Snowshed's own only those about Kafka."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SNOWSHED_") or name.startswith("SNOWSHED_KAFKA__")
    }
    return {**kept, "SNOWSHED_BOOTSTRAP": place.bootstrap, "SNOWSHED_PREFIX": place.prefix}
