"""One life of a worker: its process, the pipe it reports through, and its end, noticed at once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from threading import Thread

from snowshed.streams.hosting import Membership
from snowshed.streams.supervision.deaths import Death
from snowshed.streams.supervision.reports import Misconfigured, decode

__all__ = ["Child"]

_CHUNK = 65_536


class Child:
    """A worker's process, started by the constructor on a running event loop.

    Its standard input is a pipe that closes with this process, however that ends; its standard error is ours.

    Args:
        worker: its number.
        command: what to run; ` --report` and a file descriptor are added.
        environment: all its variables.

    Raises:
        OSError: the system starts no process now.
    """

    def __init__(self, worker: int, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.worker = worker
        self.membership: Membership | None = None
        self.wanted = False
        """Whether we asked it to end."""
        self._misconfigured = ""
        self._unread = b""
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._reports, reports_end = os.pipe()
        os.set_blocking(self._reports, False)
        self._started = time.monotonic()
        try:
            self._process = _start([*command, "--report", str(reports_end)], environment, reports_end)
        except OSError:
            os.close(self._reports)
            raise
        finally:
            os.close(reports_end)
        self._loop.add_reader(self._reports, self._read)
        # A thread that waits is woken by the kernel itself; nothing is polled.
        Thread(target=self._wait, name=f"snowshed-worker-{worker}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def death(self) -> Death:
        """Wait for its end."""
        code = await asyncio.shield(self._ended)
        return Death(
            worker=self.worker,
            pid=self.pid,
            code=code,
            lived=time.monotonic() - self._started,
            wanted=self.wanted,
            membership=self.membership,
            misconfigured=self._misconfigured,
        )

    async def end(self, grace: float) -> None:
        """Stop it in order, or kill it after the grace (seconds)."""
        self.wanted = True
        self._process.terminate()
        done, _ = await asyncio.wait([self._ended], timeout=grace)
        if not done:
            self._process.kill()
            await asyncio.wait([self._ended])

    def _wait(self) -> None:
        code = self._process.wait()
        self._loop.call_soon_threadsafe(self._close, code)

    def _close(self, code: int) -> None:
        self._read()  # what it told last may still be in the pipe
        self._loop.remove_reader(self._reports)
        os.close(self._reports)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._ended.set_result(code)

    def _read(self) -> None:
        try:
            while chunk := os.read(self._reports, _CHUNK):
                self._unread += chunk
        except BlockingIOError:
            pass
        else:
            self._loop.remove_reader(self._reports)  # at its end a pipe would stay readable
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            self._hear(line)

    def _hear(self, line: bytes) -> None:
        report = decode(line)
        if isinstance(report, Misconfigured):
            self._misconfigured = report.reason
        else:
            self.membership = report


def _start(command: Sequence[str], environment: Mapping[str, str], reports_end: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        env=environment,
        pass_fds=[reports_end],
        start_new_session=True,  # an interrupt at the terminal is for the parent, which then stops its children
    )
