"""A program that looks at clocks and waits when told to: `python -m tests.support.clock_child HOST:PORT TOPIC`.

Each line it reads is a command and a number, of seconds or a time; it answers each with a line of JSON.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import uvloop
from confluent_kafka import Consumer


def look(_seconds: float) -> Any:
    """What each clock says."""
    return {"day": time.time(), "nanoseconds": time.time_ns() / 1e9, "monotonic": time.monotonic()}


def wait(seconds: float) -> Any:
    """How long each kind of waiting really takes."""
    waits: dict[str, Callable[[], Any]] = {
        "sleep": lambda: time.sleep(seconds),
        "event": lambda: threading.Event().wait(seconds),
        "asyncio": lambda: asyncio.run(asyncio.sleep(seconds)),
        "uvloop": lambda: uvloop.run(asyncio.sleep(seconds)),
        "day": lambda: _wait_until(time.time() + seconds),
    }
    return {name: _taken(function) for name, function in waits.items()}


def until(deadline: float) -> Any:
    """How long a wait until a time of day takes."""
    return _taken(lambda: _wait_until(deadline))


def _wait_until(deadline: float) -> None:
    libc, semaphore = ctypes.CDLL(None), ctypes.create_string_buffer(32)
    at = (ctypes.c_long * 2)(int(deadline), int(deadline % 1 * 1e9))
    libc.sem_init(semaphore, 0, 0)
    libc.sem_timedwait(semaphore, at)


def _taken(function: Callable[[], Any]) -> float:
    started = time.monotonic()
    function()
    return time.monotonic() - started


def main(bootstrap: str, topic: str) -> None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])

    def poll(seconds: float) -> Any:
        """How long a poll took and the record it returned."""
        started = time.monotonic()
        message = consumer.poll(seconds)
        value = None if message is None else (message.value() or b"").decode()
        return time.monotonic() - started, value

    for line in sys.stdin:
        command, seconds = line.split()
        print(
            json.dumps({"look": look, "wait": wait, "until": until, "poll": poll}[command](float(seconds))), flush=True
        )
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
