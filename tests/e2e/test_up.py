"""`snowshed up`: everything from one command, and nothing left behind by it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from tests.support.receivers import HttpReceiver, http_receiver

pytestmark = pytest.mark.e2e

UP = [sys.executable, "-m", "snowshed.streams.cli", "up", "--json", "--web-port", "0"]
START_LIMIT = 180.0
STOP_LIMIT = 30.0


@dataclass(frozen=True, slots=True)
class Up:
    process: subprocess.Popen[str]
    told: dict[str, Any]
    family: list[psutil.Process]
    """All processes below it: broker, worker, agent."""


def environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SNOWSHED_")}
    return {**own, "SNOWSHED_BROKER": "local"}


@contextmanager
def up(data: Path, *options: str) -> Generator[Up]:
    """`snowshed up` once it has said that all of it runs."""
    process = subprocess.Popen(
        [*UP, "--data", str(data), *options],
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    family: list[psutil.Process] = []
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        family = psutil.Process(process.pid).children(recursive=True)
        yield Up(process, json.loads(line), family)
    finally:
        process.kill()
        process.communicate()
        psutil.wait_procs(family, STOP_LIMIT)
        for left in family:
            if left.is_running():
                left.kill()


def wait_until(condition: Callable[[], bool], limit: float = 30.0) -> bool:
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - a loopback address
            return bool(answer.status == 200)
    except OSError:
        return False


def running(family: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_it_starts_everything_stops_it_when_ready_and_leaves_the_data(tmp_path: Path) -> None:
    done = run_up("--data", str(tmp_path), "--exit-when-ready")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["broker"] == "local"
    assert not psutil.pid_exists(told["processes"]["worker"])
    assert not psutil.pid_exists(told["processes"]["agent"])
    assert not answers(told["page"])
    assert (tmp_path / "kafka" / "records").is_dir()
    assert not [process for process in psutil.process_iter(["cmdline"]) if str(tmp_path) in _words(process)]


def test_it_serves_the_page_restarts_a_worker_that_dies_and_ends_by_sigterm(tmp_path: Path) -> None:
    with up(tmp_path) as running_up:
        page = f"{running_up.told['page']}readyz"
        assert answers(page)
        os.kill(running_up.told["processes"]["worker"], signal.SIGKILL)
        assert wait_until(lambda: not answers(page))
        assert wait_until(lambda: answers(page))
        family = psutil.Process(running_up.process.pid).children(recursive=True)
        running_up.process.terminate()
        _, said = running_up.process.communicate(timeout=STOP_LIMIT)
        assert running_up.process.returncode == 0
        assert "the worker ended with signal 9" in said
        assert running(family) == []


def test_nothing_outlives_it_when_it_is_killed(tmp_path: Path) -> None:
    with up(tmp_path) as running_up:
        assert len(running_up.family) == 3
        running_up.process.kill()
        assert wait_until(lambda: running(running_up.family) == [], STOP_LIMIT)


def test_it_tells_people_and_carries_out_runbooks_and_brings_both_back(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        files = settings(tmp_path, receiver.url)
        with up(tmp_path / "data", *files) as running_up:
            told = running_up.told
            assert [*told["processes"]] == ["worker", "agent", "notifier", "executor"]
            for name in ("notifier", "executor"):
                os.kill(told["processes"][name], signal.SIGKILL)
            words = (
                "publish",
                "heartbeat",
                "--node",
                "pay-1",
                "--service",
                "pay",
                "--count",
                "12",
                "--interval",
                "0.2",
            )
            run_command(*words, "--bootstrap", told["bootstrap"])
            assert wait_until(lambda: "/notices" in asked(receiver), 60)
            assert wait_until(lambda: "/actions" in asked(receiver), 60)
            family = psutil.Process(running_up.process.pid).children(recursive=True)
            running_up.process.terminate()
            _, said = running_up.process.communicate(timeout=STOP_LIMIT)
            assert running_up.process.returncode == 0, said
            assert "Starting worker, agent, notifier and executor" in said
            assert "the notifier ended with signal 9" in said
            assert "the executor ended with signal 9" in said
            assert running(family) == []


@pytest.mark.parametrize(
    ("option", "text", "reason"),
    [
        ("--notify", "[channels.hook]\ntype = 'carrier pigeon'\n", "carrier pigeon"),
        ("--runbooks", "[[runbooks]]\nname = 'x'\n", "runbooks[1].match needs a kind"),
        ("--policy", "[retyr]\n", "retyr"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_starts(tmp_path: Path, option: str, text: str, reason: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    done = run_up("--data", str(tmp_path / "data"), option, str(file))
    assert done.returncode == 1
    assert done.stdout == ""
    assert reason in done.stderr
    assert "Starting" not in done.stderr
    assert not (tmp_path / "data" / "kafka").exists()


def settings(folder: Path, url: str) -> list[str]:
    """Options that name a file for the notifier and one for the executor, both of which lead to `url`."""
    notify, runbooks = folder / "notify.toml", folder / "runbooks.toml"
    notify.write_text(f'[channels.hook]\ntype = "webhook"\nurl = "{url}/notices"\n[[routes]]\nchannels = ["hook"]\n')
    runbooks.write_text(
        '[[runbooks]]\nname = "tell"\nmode = "automatic"\n[runbooks.match]\nkind = "node_failed"\n'
        f'[[runbooks.steps]]\ndo = "custom"\nwith = "webhook"\nurl = "{url}/actions"\n'
    )
    return ["--notify", str(notify), "--runbooks", str(runbooks)]


def asked(receiver: HttpReceiver) -> list[str]:
    return [request.path for request in receiver.received]


def run_up(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*UP, *words], env=environment(), capture_output=True, text=True, timeout=START_LIMIT, check=False
    )


def run_command(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "snowshed.streams.cli", *words], env=environment(), check=True)


def _words(process: psutil.Process) -> str:
    return " ".join(process.info["cmdline"] or [])
