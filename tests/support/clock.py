"""A child process whose wall clock a test can step."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

from snowshed.schemas.errors import ServerUnavailable

__all__ = ["WorkerClock"]

_SOURCE = Path(__file__).with_name("worker_clock.c")


class WorkerClock:
    """The wall clock of those processes that are started with its `environment`; their monotonic clock stays true.

    libfaketime does not serve here: it leaves the waits of librdkafka alone (glibc's `cnd_timedwait`), which then last
    as long as the clock was set ahead, and with a true monotonic clock it makes Python's `time.sleep` fail.

    Args:
        folder: where the library and the file with the shift lie; one clock a folder.
    """

    def __init__(self, folder: Path) -> None:
        self._library, self._file = folder / "worker-clock.so", folder / "worker-clock"
        _compile(self._library)
        self._file.write_bytes(bytes(8))
        with self._file.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)
        self.shift = 0.0
        """Seconds that the clock is ahead of the true one."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables for the process, beside its own; its children inherit them, and so the clock."""
        return {"LD_PRELOAD": str(self._library), "WORKER_CLOCK": str(self._file)}

    def step(self, seconds: float) -> None:
        """Set the clock ahead, or with a negative number back, at once."""
        self.shift += seconds
        struct.pack_into("q", self._shared, 0, round(self.shift * 1e9))


def _compile(library: Path) -> None:
    if shutil.which("gcc") is None:
        raise ServerUnavailable("a stepped clock needs gcc; on Debian, as root: apt-get install gcc libc6-dev")
    command = ["gcc", "-O2", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(library), str(_SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise ServerUnavailable(f"{_SOURCE.name} cannot be compiled; are the headers there (libc6-dev)?\n{done.stderr}")
