"""The commands as a person types them, each a process, against a real broker and a real worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from snowshed.schemas.topics import CATALOGUE
from snowshed.streams.broker import Broker, free_ports

pytestmark = pytest.mark.e2e

SNOWSHED = [sys.executable, "-m", "snowshed.streams.cli"]
STOP_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs commands with the settings of one installation on the shared broker."""

    environment: dict[str, str]

    def run(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*SNOWSHED, *words], env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json").stdout)

    @contextmanager
    def worker(self, log: Path) -> Generator[subprocess.Popen[bytes]]:
        """A worker that takes part in the work."""
        with log.open("wb") as file:
            process = subprocess.Popen([*SNOWSHED, "worker"], env=self.environment, stderr=file)
        try:
            wait_until(lambda: b'"state": "open"' in log.read_bytes(), process, log)
            yield process
        finally:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


@pytest.fixture
def shell(kafka: Broker, prefix: str) -> Shell:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SNOWSHED_")}
    settings = {
        "SNOWSHED_BOOTSTRAP": kafka.bootstrap,
        "SNOWSHED_PREFIX": prefix,
        "SNOWSHED_APP": prefix,
        "SNOWSHED_PARTITIONS": "2",
        "SNOWSHED_WEB_PORT": str(free_ports(1)[0]),
        "SNOWSHED_LOG_FORMAT": "json",
    }
    return Shell(own | settings)


def test_topics_are_missing_then_created_then_there(shell: Shell) -> None:
    assert f"{len(CATALOGUE)} topics are missing" in shell.run("topics", expect=1).stderr
    assert "snowshed topics --create" in shell.run("publish", "heartbeat", expect=1).stderr
    shell.run("topics", "--create")
    topics = shell.json("topics")
    assert len(topics) == len(CATALOGUE)
    assert {(topic["partitions"], topic["missing"]) for topic in topics if topic["short"] != "control"} == {(2, False)}


def test_doctor_finds_a_broker_with_topics_well_and_a_named_broker_that_is_away_blocking(shell: Shell) -> None:
    shell.run("topics", "--create")
    findings = {finding["name"]: finding for finding in shell.json("doctor")}
    assert findings["broker"]["ok"]
    assert findings["topics"]["detail"].startswith(f"{len(CATALOGUE)} of {len(CATALOGUE)} exist")
    assert "replaced within about" in findings["failover"]["detail"]
    [away] = free_ports(1)
    done = shell.run("doctor", "--bootstrap", f"127.0.0.1:{away}", expect=1)
    assert "to be mended first: broker" in done.stderr


def test_a_heartbeat_that_is_published_is_watched_and_its_end_explained(shell: Shell, tmp_path: Path) -> None:
    shell.run("topics", "--create")
    with shell.worker(tmp_path / "worker.log") as worker:
        assert shell.json("explain")["incident"] is None
        assert shell.json("publish", "heartbeat", "--node", "n1", "--count", "3")["delivered"] == 3
        seen: dict[str, str] = {}

        def dead() -> bool:
            seen.update({node["node"]: node["status"] for node in shell.json("watch", "--once")["nodes"]})
            return seen.get("n1") == "dead"

        wait_until(dead, worker, tmp_path / "worker.log")
        told = shell.json("explain")
        assert told["incident"]["kind"] == "node_failed"
        assert "n1" in told["explanation"]
        assert told["incident"]["incident_id"] in shell.run("watch", "--once").stdout


def test_a_scenario_leads_to_its_incident_and_what_was_recorded_replays_to_the_same(
    shell: Shell, tmp_path: Path
) -> None:
    shell.run("topics", "--create")
    with shell.worker(tmp_path / "worker.log") as worker:
        shell.run("publish", "scenario", "retry-storm", "--duration", "8")
        live = shell.json("explain")
        assert live["incident"]["kind"] == "retry_amplification"
        assert [decision["kind"] for decision in live["decisions"]] == ["retry"]
        assert "payments" in live["explanation"]
        worker.terminate()
        worker.wait(STOP_LIMIT)
    recording = str(tmp_path / "live.jsonl.gz")
    shell.run("record", "--out", recording)
    result = shell.json("replay", recording)["result"]
    assert result["differences"] == []
    assert result["verified"] > 100
    assert [incident["incident_id"] for incident in result["incidents"]] == [live["incident"]["incident_id"]]


def test_a_recording_is_sent_again_as_if_it_happened_now(shell: Shell, tmp_path: Path) -> None:
    shell.run("topics", "--create")
    path, long_ago = tmp_path / "night.jsonl", 1_700_000_000.0
    beats = [
        {
            "node": "n2",
            "service": "api",
            "seq": seq,
            "interval": 0.25,
            "sent_at": long_ago + seq / 4,
            "monotonic": seq / 4,
        }
        for seq in range(8)
    ]
    lines = [
        {"kind": "record", "topic": "heartbeats", "partition": 0, "offset": seq, "timestamp": beat["sent_at"]}
        | {"name": "n2", "type": "Heartbeat", "record": beat}
        for seq, beat in enumerate(beats)
    ]
    meta = {"kind": "meta", "format": "snowshed-recording/1", "partitions": {"heartbeats": 1}}
    path.write_text("".join(json.dumps(line) + "\n" for line in [meta, *lines]))
    with shell.worker(tmp_path / "worker.log") as worker:
        began = time.time()
        assert shell.json("publish", "recording", str(path))["delivered"] == len(beats)
        wait_until(lambda: shell.json("explain")["incident"] is not None, worker, tmp_path / "worker.log")
        told = shell.json("explain")["incident"]
        assert (told["kind"], told["subject"]) == ("node_failed", "n2")
        assert told["opened_at"] > began
    path.write_text(json.dumps(meta))
    assert "has no heartbeats, timings or markers" in shell.run("publish", "recording", str(path), expect=1).stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_stops_in_order_and_soon(shell: Shell, tmp_path: Path, number: signal.Signals) -> None:
    shell.run("topics", "--create")
    with shell.worker(tmp_path / "worker.log") as worker:
        worker.send_signal(number)
        assert worker.wait(STOP_LIMIT) == 0
    log = (tmp_path / "worker.log").read_text()
    assert "partitions_drained" in log
    assert "Traceback" not in log


def test_a_worker_whose_port_is_taken_says_so_in_one_line(shell: Shell, tmp_path: Path) -> None:
    shell.run("topics", "--create")
    with shell.worker(tmp_path / "worker.log"):
        done = shell.run("worker", expect=1)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("snowshed: cannot listen on 127.0.0.1:")
    assert "SNOWSHED_WEB_PORT" in last


def test_a_reset_lets_folding_begin_anew_once_the_worker_has_stopped(shell: Shell, tmp_path: Path) -> None:
    with shell.worker(tmp_path / "worker.log") as worker:
        shell.run("publish", "heartbeat", "--node", "web-1")
        refused = shell.run("reset", "--yes", expect=1)
        assert "stop all of them first" in refused.stderr
        worker.terminate()
        worker.wait(30)
    [*lanes] = shell.json("reset", "--yes", "--agent", "heartbeats")
    assert {lane["agent"] for lane in lanes} == {"heartbeats"}
    assert shell.run("reset", "--yes", "--agent", "nobody", expect=1).stderr.count("there is no agent nobody")
    with shell.worker(tmp_path / "again.log"):
        pass
