"""Ends a process together with the one that started it, however that ended."""

from __future__ import annotations

import os
import signal
import sys
from threading import Thread
from typing import Annotated

import typer

__all__ = ["Attached", "end_with_standard_input"]

Attached = Annotated[
    bool,
    typer.Option(
        "--attached", hidden=True, help="Stop when standard input closes: the process that started this ended."
    ),
]


def end_with_standard_input() -> None:
    """Send this process SIGTERM once its standard input is at its end.

    The process at the other end of the pipe needs not do anything for that: the kernel closes what a killed process
    had open, and a pipe that was closed before we looked is at its end too.
    """
    Thread(target=_watch, args=(sys.stdin.fileno(),), name="snowshed-attached", daemon=True).start()


def _watch(descriptor: int) -> None:
    while os.read(descriptor, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
