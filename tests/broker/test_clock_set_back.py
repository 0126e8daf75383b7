"""A wall clock that is set back makes nobody deaf: librdkafka alone would wait for as long as the step is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.chaos.processes import Pack
from tests.support.clock import WorkerClock
from tests.support.core_rig import Rig, wait_until

from snowshed.streams.broker import Broker
from snowshed.streams.transactions.protocol import Protocol

_HOUR = 3600.0


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_worker_goes_on_and_stops_when_told(kafka: Broker, prefix: str, tmp_path: Path, protocol: Protocol) -> None:
    rig, clock = Rig(kafka.bootstrap, prefix, protocol=protocol), WorkerClock(tmp_path)
    environment = {
        "SNOWSHED_BOOTSTRAP": kafka.bootstrap,
        "SNOWSHED_PREFIX": prefix,
        "SNOWSHED_APP": prefix,
        "SNOWSHED_PARTITIONS": str(rig.partitions),
        "SNOWSHED_REPLICATION": "1",
        "SNOWSHED_GROUP_PROTOCOL": protocol,
        "SNOWSHED_WEB_PORT": "0",
        "SNOWSHED_LOG_FORMAT": "json",
        **clock.environment,
    }
    with Pack(["-m", "tests.chaos.worker"], environment, tmp_path) as pack:
        worker = pack.start("w0")
        rig.feed([("one", 0)])
        rig.read_raw("notices", expect=1)
        clock.step(-_HOUR)
        rig.feed([("one", 1)])
        rig.read_raw("notices", expect=2)
        clock.step(-_HOUR)
        assert worker.stop() == 0, worker.tail()


@contextmanager
def _child(clock: WorkerClock, bootstrap: str, topic: str) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.follower_child", bootstrap, topic],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **clock.environment},
    )
    with process:
        yield process
        process.kill()


def _progress(child: subprocess.Popen[str]) -> float:
    assert child.stdin is not None
    assert child.stdout is not None
    print(file=child.stdin, flush=True)
    return float(child.stdout.readline())


def _await_progress(child: subprocess.Popen[str], since: float) -> None:
    wait_until(lambda: _progress(child) > since, what="looked again")


def test_a_follower_still_knows_that_it_is_up_to_date(kafka: Broker, prefix: str, tmp_path: Path) -> None:
    rig, clock = Rig(kafka.bootstrap, prefix), WorkerClock(tmp_path)
    with _child(clock, kafka.bootstrap, rig.topics.full("decisions")) as child:
        _await_progress(child, 0.0)
        for _ in range(5):
            clock.step(-_HOUR)
            _await_progress(child, _progress(child))
