"""What `snowshed up` runs, as child processes: started, watched, restarted and stopped in order."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import IO

from snowshed.streams.cli.readiness import READY_VARIABLE, Readiness

__all__ = ["Child", "attached_command"]

_RESTART_SPACING = 1.0
_TAIL_LINES = 12


class Child:
    """One command of ours in a process of its own, its log in a file.

    It ends with this process even when that is killed, because it is `--attached` to a pipe that the kernel then
    closes.

    Args:
        words: the command and its options.
        environment: its settings; they replace this process's own of the same name.
        log: file that its standard error and output are added to.
        mirror: told each line of the log as it is written; None to leave the file alone.
        name: what people call it; the command by default.
        tells: whether the command says when it is ready.
    """

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        mirror: Callable[[str], None] | None = None,
        name: str = "",
        tells: bool = False,
    ) -> None:
        self.name = name or words[0]
        self.log = log
        self._command = attached_command(words)
        self._readiness = Readiness() if tells else None
        told = {READY_VARIABLE: self._readiness.address} if self._readiness is not None else {}
        self._environment = {**os.environ, **environment, **told}
        self._mirror = mirror
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._started_at = 0.0
        self._said = not tells

    @property
    def pid(self) -> int | None:
        """Its process id, None before the start and after the end."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def ready(self) -> bool:
        """Whether it has said that it is ready, or need not say so."""
        if self._readiness is not None and self._readiness.heard():
            self._said = True
        return self._said

    def start(self) -> None:
        """Start it."""
        self._started_at = time.monotonic()
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=log if self._mirror is None else subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,  # an interrupt at the terminal is for the parent, which then stops its children
            )
        if self._mirror is not None and self._process.stdout is not None:
            Thread(target=self._copy, args=(self._process.stdout, self._mirror), daemon=True).start()

    def ended(self) -> str | None:
        """How it ended, with the last lines of its log; None while it runs and once that was told."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self._release()
        return f"the {self.name} ended with {_ending(code)}; the end of {self.log}:\n{self.tail()}"

    def revive(self) -> None:
        """Start it again if it has ended and did not start within the last second."""
        if self._process is None and time.monotonic() >= self._started_at + _RESTART_SPACING:
            self.start()

    def tail(self) -> str:
        """The last lines it wrote since its latest start."""
        written = self.log.read_bytes()[self._log_start :]
        return "\n".join(written.decode(errors="replace").strip().splitlines()[-_TAIL_LINES:])

    def stop(self, grace: float) -> bool:
        """Stop it for good: in order, or by a kill after the grace (seconds); whether it stopped by itself."""
        if self._readiness is not None:
            self._readiness.close()
        process = self._process
        if process is None:
            return True
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False
        finally:
            self._release()
        return True

    def _release(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()

    def _copy(self, lines: IO[bytes], mirror: Callable[[str], None]) -> None:
        with self.log.open("ab") as log:
            for line in lines:
                log.write(line)
                log.flush()
                mirror(f"{self.name}: {line.decode(errors='replace').rstrip()}")


def attached_command(words: Sequence[str]) -> list[str]:
    """What runs a command of ours in a process that ends when its standard input closes.

    Args:
        words: the command and its options.
    """
    return [sys.executable, "-m", "snowshed.streams.cli", *words, "--attached"]


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
