"""Runs one program in a process group of its own, which ends with its time."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from snowshed.consumers.actions.executors.base import Job, Result, Verdict

__all__ = ["environment", "run_program"]

_KEPT = 2_000
_GRACE = 2.0
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")


def environment(job: Job, passed: Sequence[str] = ()) -> dict[str, str]:
    """The variables of a program: a few of ours, those that a runbook passes on, and what the action is about.

    Ours are not handed on whole, because passwords stand among them.
    """
    found = {name: os.environ[name] for name in (*_PASSED, *passed) if name in os.environ}
    about = {name.upper(): value for name, value in job.values.items()}
    about |= {"ACTION": job.key, "KIND": job.kind.value, "RUNBOOK": job.runbook, "ATTEMPT": str(job.attempt)}
    return found | {f"SNOWSHED_{name}": value for name, value in about.items()}


def run_program(
    words: Sequence[str], variables: Mapping[str, str], timeout: float, *, late: Verdict = Verdict.FAILED
) -> Result:
    """Run a program without a shell and wait for its end; kill its whole process group when its time is over.

    Args:
        words: program and arguments.
        variables: all that it gets.
        timeout: seconds.
        late: what it means that its time is over.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(variables),
                start_new_session=True,
            )
        except OSError as error:
            return Result(Verdict.FAILED, f"{words[0]} could not be started: {error.strerror}")
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            return Result(late, f"killed after {timeout:g} s; {_tail(output)}")
        return Result(Verdict.DONE if code == 0 else Verdict.FAILED, f"exit code {code}; {_tail(output)}".strip("; "))


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        # The group has its leader's id, and lives as long as any process in it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def _tail(output: IO[bytes]) -> str:
    end = output.seek(0, os.SEEK_END)
    output.seek(max(0, end - _KEPT))
    return output.read().decode(errors="replace").strip()
