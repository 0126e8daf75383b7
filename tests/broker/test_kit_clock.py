"""A stepped clock moves the time of day, and only that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tests.support.clock import WorkerClock

from snowshed.streams.broker import Broker

_HOUR = 3600.0
_BEGUN = 0.5
"""Seconds in which a wait has begun; on a starved machine it may not have, and then the test shows less."""
_LATE = 20.0
"""Seconds by which a starved machine may be late."""


class Child:
    """The other side of `tests.support.clock_child`."""

    def __init__(self, clock: WorkerClock, bootstrap: str, topic: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.clock_child", bootstrap, topic],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **clock.environment},
        )

    def ask(self, command: str, number: float = 0.0) -> None:
        assert self.process.stdin is not None
        print(command, number, file=self.process.stdin, flush=True)

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def do(self, command: str, number: float = 0.0) -> Any:
        self.ask(command, number)
        return self.answer()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def clock(tmp_path: Path) -> WorkerClock:
    return WorkerClock(tmp_path)


@pytest.fixture
def child(clock: WorkerClock, kafka: Broker, prefix: str) -> Generator[Child]:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(prefix, num_partitions=1)])[prefix].result(30)
    running = Child(clock, kafka.bootstrap, prefix)
    yield running
    running.end()


def write(kafka: Broker, topic: str, value: str) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(topic, value)
    assert producer.flush(30) == 0


def read_one(child: Child) -> str:
    value = None
    while value is None:
        value = child.do("poll", 30)[1]
    return str(value)


@pytest.mark.parametrize("step", [_HOUR, -_HOUR])
def test_a_step_moves_the_time_of_day_and_not_the_monotonic_clock(
    step: float, clock: WorkerClock, child: Child
) -> None:
    child.do("look")
    before = time.time(), time.monotonic()
    clock.step(step)
    after = child.do("look")
    assert step <= after["day"] - before[0] < step + _LATE
    assert step <= after["nanoseconds"] - before[0] < step + _LATE
    assert 0 <= after["monotonic"] - before[1] < _LATE  # one machine has one monotonic clock
    clock.step(-step)
    assert abs(child.do("look")["day"] - time.time()) < _LATE


@pytest.mark.parametrize("step", [_HOUR, -_HOUR])
def test_waits_that_begin_after_a_step_last_as_long_as_they_should(
    step: float, clock: WorkerClock, child: Child
) -> None:
    clock.step(step)
    taken = child.do("wait", 0.3)
    assert {name: 0.29 <= seconds < _LATE for name, seconds in taken.items()} == dict.fromkeys(taken, True)
    assert child.do("poll", 0.3)[0] < _LATE


@pytest.mark.parametrize("step", [_HOUR, -_HOUR])
def test_a_consumer_under_a_stepped_clock_reads_and_times_out(
    step: float, clock: WorkerClock, child: Child, kafka: Broker, prefix: str
) -> None:
    write(kafka, prefix, "before")
    assert read_one(child) == "before"
    clock.step(step)
    write(kafka, prefix, "after")
    assert read_one(child) == "after"
    seconds, value = child.do("poll", 1)
    assert value is None
    assert 0.9 <= seconds < _LATE


def test_a_step_ahead_ends_a_wait_until_a_time_of_day(clock: WorkerClock, child: Child) -> None:
    child.do("look")
    child.ask("until", time.time() + _HOUR)
    time.sleep(_BEGUN)
    clock.step(_HOUR)
    assert child.answer() < _LATE


def test_a_step_back_prolongs_a_wait_until_a_time_of_day(clock: WorkerClock, child: Child) -> None:
    child.do("look")
    child.ask("until", time.time() + 2)
    time.sleep(_BEGUN)
    clock.step(-4)
    assert child.answer() > 4


def test_a_record_ends_a_poll_that_a_step_back_prolonged(
    clock: WorkerClock, child: Child, kafka: Broker, prefix: str
) -> None:
    write(kafka, prefix, "first")
    assert read_one(child) == "first"
    child.ask("poll", 120)
    clock.step(-_HOUR)
    write(kafka, prefix, "second")
    seconds, value = child.answer()
    assert value == "second"
    assert seconds < 60
