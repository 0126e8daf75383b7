"""A worker run by Faust's own command line."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest
from tests.support.core_rig import wait_until
from tests.support.fleet import Fleet

from snowshed.streams.broker import Broker

pytestmark = pytest.mark.e2e


def test_faust_runs_the_worker_and_serves_nothing_of_its_own(kafka: Broker, prefix: str, tmp_path: Path) -> None:
    with Fleet(kafka.bootstrap, prefix, tmp_path) as fleet:
        worker = fleet.worker(command=[sys.executable, "-m", "faust", "-A", "snowshed.streams.app", "worker"])
        for path in ("/table/", "/router/", "/graph/", "/stats/"):
            assert httpx.get(f"{worker.url}{path}").status_code == 404
        assert "snowshed_lane_state_seconds_bucket" in httpx.get(f"{worker.url}/metrics").text
        with httpx.stream("GET", f"{worker.url}/api/events") as events:
            assert events.headers["content-type"].startswith("text/event-stream")
        fleet.shop()
        wait_until(lambda: len(worker.get("/api/world")["nodes"]) == 1, what="the worker judges heartbeats")
        assert worker.stop() == 0
        assert list(tmp_path.glob("*-data")) == [], "Faust's data folder is not needed"
