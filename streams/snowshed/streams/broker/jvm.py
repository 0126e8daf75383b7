"""Command lines that run Kafka's programs on a Java runtime."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from .java import Java

__all__ = ["ending_with_parent", "java_command"]

# One small node starts faster without the optimising compiler and shares its cores with the worker.
_FLAGS = ["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]


def java_command(java: Java, jars: Path, folder: Path, *program: str) -> list[str]:
    """The argument list that runs a program, its temporary files and log configuration in the folder."""
    return [
        str(java.path),
        *_FLAGS,
        f"-Djava.io.tmpdir={folder / 'tmp'}",  # the native compression libraries unpack themselves there
        f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
        "-cp",
        f"{jars}/*",
        *program,
    ]


def ending_with_parent(command: list[str]) -> list[str]:
    """The command, made to receive SIGTERM when its parent dies, where that is possible.

    The kernel sends the signal when the *thread* that started the process ends (prctl(2), PR_SET_PDEATHSIG), hence only
    in the main thread; elsewhere, and without util-linux, the process outlives a killed parent.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return command
    return [setpriv, "--pdeathsig", "TERM", *command]
