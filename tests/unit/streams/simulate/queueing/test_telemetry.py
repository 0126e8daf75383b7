from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Heartbeat, IncidentKind, Marker, NodeStatus, TimingBatch, Vantage
from snowshed.schemas.topics import Topics
from snowshed.streams.agents.folds import folds
from snowshed.streams.causes import read_intervals
from snowshed.streams.policy import Policy
from snowshed.streams.replay import read_recording, replay
from snowshed.streams.simulate import record_scenario
from snowshed.streams.simulate.queueing import NAMED, Second, telemetry, write_intervals
from snowshed.streams.simulate.queueing.fleet import Dataset
from snowshed.streams.simulate.queueing.replication import Replication
from snowshed.streams.simulate.queueing.troubles import Lossy, Stall

START = 1_790_000_000.0


def test_the_reports_count_what_the_simulation_counts() -> None:
    run: list[tuple[Second, ...]] = []
    events = list(telemetry(NAMED["capacity-loss"].lasting(90), 1, START, run.append))
    batches = [event.record for event in events if isinstance(event.record, TimingBatch)]
    reported: Counter[tuple[str, str, str]] = Counter()
    for batch in batches:
        for row, caller in enumerate(batch.caller):
            if batch.vantage is Vantage.CALLER:
                name = batch.strings[int(caller)]
                reported[name, batch.callee, "ok"] += int(batch.ok[row])
                reported[name, batch.callee, "timeout"] += int(batch.timeout[row])
    counted: Counter[tuple[str, str, str]] = Counter()
    for edges in run:
        for edge in edges:
            counted[edge.caller, edge.callee, "ok"] += edge.ok
            counted[edge.caller, edge.callee, "timeout"] += edge.timeout
    assert reported == counted
    assert counted["orders", "payments", "timeout"] > 0


def test_the_reports_come_in_the_order_of_their_times() -> None:
    times = [event.at for event in telemetry(NAMED["calm"].lasting(10), 1, START, lambda _: None)]
    assert all(earlier <= later for earlier, later in pairwise(times))


def test_a_deployed_node_takes_its_leave_and_comes_back_as_a_new_process() -> None:
    events = telemetry(NAMED["deploy"].lasting(70), 1, START, lambda _: None)
    beats = [event.record for event in events if isinstance(event.record, Heartbeat)]
    own = [beat for beat in beats if beat.node == "orders-1"]
    leaving = next(index for index, beat in enumerate(own) if beat.status is NodeStatus.LEAVING)
    assert own[leaving + 1].seq == 0
    assert own[leaving + 1].sent_at - own[leaving].sent_at > 4
    assert own[leaving + 1].monotonic < own[leaving].monotonic


def test_a_recording_of_a_run_can_be_folded(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl.gz"
    record_scenario(file, telemetry(NAMED["capacity-loss"].lasting(80), 1, START, lambda _: None), 2)
    result = replay(read_recording(file), folds(Policy(), Codec()), Topics("snowshed"), Codec())
    assert not result.dead_letters
    assert any("payments" in incident.incident_id for incident in result.incidents)


def test_lost_reports_are_said_to_be_lost_and_accuse_nobody(tmp_path: Path) -> None:
    lossy = Lossy(service="payments", share=0.5, start=30.0, seconds=15.0)
    scenario = replace(NAMED["calm"], troubles=(lossy,), seconds=60)
    sound = list(telemetry(NAMED["calm"].lasting(60), 1, START, lambda _: None))
    events = list(telemetry(scenario, 1, START, lambda _: None))
    gone = len(sound) - len(events)
    counted = {one.record.reporter: one.record.lost for one in events if isinstance(one.record, TimingBatch)}
    assert sum(counted.values()) == gone
    assert {name for name, lost in counted.items() if lost} == {"payments-1", "payments-2", "payments-3"}
    file = tmp_path / "run.jsonl.gz"
    record_scenario(file, events, 2)
    result = replay(read_recording(file), folds(Policy(), Codec()), Topics("snowshed"), Codec())
    (incident,) = result.incidents
    assert (incident.kind, incident.subject) == (IncidentKind.DETECTOR, "telemetry-default")
    assert incident.members == ("payments",)
    assert any("reports on payments that payments-" in item.series for item in incident.evidence)
    assert not result.decisions


def test_a_run_as_intervals_is_the_same_each_time_and_is_read_by_the_search_for_causes(tmp_path: Path) -> None:
    scenario = NAMED["partition"].lasting(90)
    run = list(scenario.run(1))
    for name in ("a", "b"):
        write_intervals(tmp_path / f"{name}.jsonl.gz", "partition-1", scenario, run)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    lines = gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()).splitlines()
    kinds = [orjson.loads(line)["kind"] for line in lines]
    assert kinds[:12] == ["meta"] + ["edge"] * 6 + ["node"] * 5
    assert kinds[12] == "end"
    stream = read_intervals(lines, "partition-1")
    assert stream.meta.edges == tuple((link.caller, link.callee) for link in scenario.fleet.links)
    assert len(list(stream.intervals)) == 90


def test_a_stalled_replica_falls_behind_and_catches_up() -> None:
    dataset = Dataset(name="db", service="store", replicas=("r1", "r2"), catch_up=5.0)
    stall = Stall(dataset="db", replica="r1", start=10.0, seconds=8.0, factor=0.25)
    told = Replication(dataset, [stall], 1, START)
    markers = [event.record for second in range(30) for event in told.during(second)]
    behind = {
        round(marker.sent_at - START, 2): marker.sent_at - marker.written_at
        for marker in markers
        if isinstance(marker, Marker) and marker.replica == "r1"
    }
    assert max(lag for at, lag in behind.items() if 2 < at < 10) < 1.0
    assert behind[17.55] == pytest.approx(6.0, abs=0.8)
    assert max(lag for at, lag in behind.items() if at > 21) < 1.0
    other = [each for each in markers if isinstance(each, Marker) and each.replica == "r2"]
    assert max(each.sent_at - each.written_at for each in other) < 1.0


def test_a_recording_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        events = telemetry(NAMED["calm"].lasting(5), 1, START, lambda _: None)
        record_scenario(tmp_path / f"{name}.jsonl.gz", events, 2)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
