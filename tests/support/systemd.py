"""A systemd of the tests' own, as the first process of its namespaces, whatever runs the machine."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker.jvm import ending_with_parent

__all__ = ["SystemManager", "system_manager"]

_SYSTEMD = Path("/lib/systemd/systemd")
_PROGRAMS = ("systemctl", "unshare", "nsenter", "mount")
_REMEDY = "as root: apt-get install systemd util-linux mount"
_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 30.0

# A control group of its own, removed with all that systemd made in it. What is killed is the namespaces' first process,
# and the kernel ends everything in them with it. The kernel mounts nothing right over itself, hence the tmpfs between.
_OUTSIDE = """
mount -t tmpfs none /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
group=/sys/fs/cgroup/$(basename "$1")
mkdir "$group"
( echo 0 >"$group/cgroup.procs"
  exec unshare --cgroup --mount --pid --fork --kill-child --mount-proc --uts --ipc --net sh -euc "$2" sh "$1" ) &
inside=$!
trap 'kill -KILL $inside' TERM
wait $inside || wait $inside || :
for _ in $(seq 100); do
  find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && exit
  sleep 0.1
done
echo "$group is left over" >&2
exit 1
"""
# It may write to its own folder and to /run; of the machine's units it sees none, and it sets nothing of the kernel's.
_INSIDE = """
mount --bind "$1" "$1"
mount -t tmpfs none /run
mount -t tmpfs none /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
mount -o remount,ro,bind /
export container=snowshed SYSTEMD_UNIT_PATH="$1/units" SYSTEMD_LOG_TARGET=null
exec /lib/systemd/systemd --system --unit=idle.target --show-status=no
"""
# systemctl itself is the machine's; only where it looks for systemd is not.
_SYSTEMCTL = """#!/bin/sh
exec nsenter --target {pid} --mount --pid {program} "$@"
"""
_TARGETS = ("basic", "default", "idle", "shutdown", "sysinit")
_USER = """
[Service]
Type=notify
Delegate=yes
RuntimeDirectory=user
Environment=XDG_RUNTIME_DIR=/run/user SYSTEMD_UNIT_PATH={units}
ExecStart=/lib/systemd/systemd --user
"""


@dataclass(frozen=True, slots=True)
class SystemManager:
    """A systemd that runs, and what tests ask of it.

    Args:
        folder: units and files of theirs.
    """

    folder: Path

    @property
    def path(self) -> str:
        """A PATH on which `systemctl` reaches this systemd."""
        return f"{self.folder / 'bin'}:{os.environ['PATH']}"

    @property
    def runtime(self) -> str:
        """XDG_RUNTIME_DIR of the user's systemd, once `user.service` runs."""
        return "/run/user"

    def write(self, unit: str, service: str) -> None:
        """Write a service; `RUN` in it is a command that counts the run and goes on until it is stopped."""
        counted = f"/bin/sh -c 'echo %i >>{self.folder}/data/%n; exec sleep 3600'"
        (self.folder / "units" / unit).write_text(f"[Service]\n{service.replace('RUN', counted)}\n")

    def file(self, name: str) -> Path:
        """A file of the units."""
        return self.folder / "data" / name

    def runs(self, unit: str) -> list[str]:
        """What each run of a service was told of its instance."""
        file = self.file(unit)
        return file.read_text().splitlines() if file.exists() else []

    def ask(self, *words: str) -> str:
        """What systemctl says."""
        done = subprocess.run(
            [self.folder / "bin" / "systemctl", *words],
            env={**os.environ, "XDG_RUNTIME_DIR": self.runtime},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout.strip()

    def process(self, unit: str, *options: str) -> int:
        """The main process of a service; 0 where there is none."""
        return int(self.ask(*options, "show", "--property=MainPID", "--value", unit))

    def state(self, unit: str) -> str:
        """Whether it is active."""
        return self.ask("show", "--property=ActiveState", "--value", unit)

    def pending(self, unit: str) -> bool:
        """Whether systemd has something left to do about a unit."""
        return unit in self.ask("list-jobs", "--plain", "--no-legend")


def _check_it_can_run() -> None:
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing or not _SYSTEMD.exists():
        raise ServerUnavailable(f"{', '.join(missing) or _SYSTEMD} is not installed; {_REMEDY}")
    if os.geteuid() != 0:
        raise ServerUnavailable("the tests start a systemd in namespaces of its own and only root may: test as root")


def _first_process(outside: int) -> int | None:
    """The first process of the namespaces, as it is numbered here; None until it is systemd."""
    psutil: Any = importlib.import_module("psutil")
    for process in psutil.Process(outside).children(recursive=True):
        try:
            if Path(process.exe()).name == _SYSTEMD.name:
                return int(process.pid)
        except psutil.Error:
            continue
    return None


def _started(process: subprocess.Popen[bytes], folder: Path, log: Path) -> SystemManager:
    manager, program = SystemManager(folder), folder / "bin" / "systemctl"
    deadline = time.monotonic() + _START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        if not program.exists() and (pid := _first_process(process.pid)) is not None:
            program.write_text(_SYSTEMCTL.format(pid=pid, program=shutil.which("systemctl")))
            program.chmod(0o755)
        if program.exists() and manager.ask("is-system-running") == "running":
            return manager
        time.sleep(0.05)
    raise ServerUnavailable(f"systemd does not start in namespaces of its own: {log.read_text()[-2000:] or 'in time'}")


@contextmanager
def system_manager() -> Generator[SystemManager]:
    """A systemd with no units but the tests'; all that it runs ends with the context.

    Raises:
        ServerUnavailable: it cannot be started; the message names the remedy.
    """
    _check_it_can_run()
    folder = Path(tempfile.mkdtemp(prefix="snowshed-systemd-"))
    for name in ("bin", "units", "data"):
        (folder / name).mkdir()
    for name in _TARGETS:
        (folder / "units" / f"{name}.target").write_text("[Unit]\n")
    (folder / "units" / "user.service").write_text(_USER.format(units=folder / "units"))
    log = folder / "log"
    command = ["unshare", "--mount", "sh", "-euc", _OUTSIDE, "sh", str(folder), _INSIDE]
    with log.open("wb") as output:
        process = subprocess.Popen(
            ending_with_parent(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield _started(process, folder, log)
    finally:
        process.terminate()
        process.wait(_STOP_TIMEOUT)
        shutil.rmtree(folder)
