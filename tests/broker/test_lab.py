"""The lab's real processes: what they come to, and that none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.core_rig import wait_until

from snowshed.streams.broker import Broker
from snowshed.streams.lab import SCENARIOS, Kafka, Note, Played, Tick
from snowshed.streams.lab.session import Session

_SCALE = 0.15
_PLAY = """
import asyncio, sys
from pathlib import Path
from snowshed.streams.lab import SCENARIOS
from snowshed.streams.lab.session import Session

session = Session(scenario=SCENARIOS["retry_storm"], seed=1, folder=Path(sys.argv[1]))
asyncio.run(session.play("off", lambda told: print("told", flush=True)))
"""


async def played(protect: str, folder: Path, kafka: Kafka | None) -> Played:
    told: list[Tick | Note] = []
    session = Session(scenario=SCENARIOS["retry_storm"].scaled(_SCALE), seed=1, folder=folder, kafka=kafka)
    run = await session.play(protect, told.append)
    assert [one for one in told if isinstance(one, Tick)] == list(run.ticks)
    return run


@pytest.mark.timeout(120)
async def test_a_retry_storm_stays_without_protection_and_passes_with_it(kafka: Broker, tmp_path: Path) -> None:
    off = await played("off", tmp_path, None)
    both = await played("both", tmp_path, Kafka(kafka.bootstrap))
    last = range(SCENARIOS["retry_storm"].scaled(_SCALE).seconds - 2, 100)
    assert not sum(one.good for one in off.ticks if one.second in last)
    assert sum(one.good for one in both.ticks if one.second in last) > 100
    assert both.verdict().success > 2 * off.verdict().success
    assert off.received["server"] > both.received["server"]


@pytest.mark.timeout(60)
def test_no_process_outlives_a_lab_that_is_killed(tmp_path: Path) -> None:
    lab = subprocess.Popen([sys.executable, "-c", _PLAY, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert lab.stdout is not None
    assert lab.stdout.readline() == "told\n"
    children = _children(lab.pid)
    assert len(children) == 2
    lab.kill()
    lab.wait()
    lab.stdout.close()
    wait_until(lambda: not any(_lives(child) for child in children), what="children gone")


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.timeout(60)
def test_an_interrupt_ends_everything_in_order() -> None:
    command = [sys.executable, "-m", "snowshed.streams.cli", "lab", "run", "retry_storm", "--protect", "off"]
    environment = {name: value for name, value in os.environ.items() if name != "SNOWSHED_BOOTSTRAP"}
    lab = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert lab.stdout is not None
    assert any("in time of" in line for line in iter(lab.stdout.readline, ""))
    children = _children(lab.pid)
    lab.send_signal(signal.SIGINT)
    _, complaints = lab.communicate(timeout=30)
    assert (lab.returncode, complaints) == (130, "")
    assert children
    assert not any(_lives(child) for child in children)
