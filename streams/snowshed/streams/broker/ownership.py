"""Which broker process holds a data folder."""

from __future__ import annotations

from pathlib import Path

__all__ = ["claim", "holder", "release"]

_NAME = "broker.pid"
_START_TIME_FIELD = 19  # proc(5): field 22 of stat, counted from the field behind the command's name


def _started(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; None when it does not exist or is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[_START_TIME_FIELD]


def claim(folder: Path, pid: int) -> None:
    """Note that the process holds the folder."""
    (folder / _NAME).write_text(f"{pid} {_started(pid)}\n")


def release(folder: Path) -> None:
    """Note that nobody holds the folder."""
    (folder / _NAME).unlink(missing_ok=True)


def holder(folder: Path) -> int | None:
    """The living process that holds the folder, None when it is free.

    The start time tells a broker that outlived its parent from a stranger that got the same process id.
    """
    try:
        pid, _, started = (folder / _NAME).read_text().strip().partition(" ")
    except FileNotFoundError:
        return None
    return int(pid) if pid.isdigit() and _started(int(pid)) == started else None
