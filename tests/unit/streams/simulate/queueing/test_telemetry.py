from __future__ import annotations

import gzip
from collections import Counter
from itertools import pairwise
from pathlib import Path

import orjson

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Heartbeat, NodeStatus, TimingBatch, Vantage
from snowshed.schemas.topics import Topics
from snowshed.streams.agents.folds import folds
from snowshed.streams.policy import Policy
from snowshed.streams.replay import read_recording, replay
from snowshed.streams.simulate import record_scenario
from snowshed.streams.simulate.queueing import NAMED, Second, telemetry, write_corpus

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


def test_the_corpus_is_labelled_and_the_same_each_time(tmp_path: Path) -> None:
    names = ["partition", "cold-cache"]
    write_corpus(tmp_path / "a", names)
    write_corpus(tmp_path / "b", ["cold-cache"])
    files = sorted(path.relative_to(tmp_path / "b") for path in (tmp_path / "b").rglob("*.jsonl.gz"))
    assert len(files) == 6
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)
    parts = {part: (tmp_path / "a" / part / "labels.jsonl").read_text().splitlines() for part in ("dev", "test")}
    labels = {part: [orjson.loads(line) for line in lines] for part, lines in parts.items()}
    assert not {label["seed"] for label in labels["dev"]} & {label["seed"] for label in labels["test"]}
    assert {label["kind"]: label["metastable"] for label in labels["dev"]} == {"partition": False, "cold_cache": True}
    lines = gzip.decompress((tmp_path / "a" / "dev" / "partition-1.jsonl.gz").read_bytes()).splitlines()
    kinds = [orjson.loads(line)["kind"] for line in lines]
    assert kinds[:12] == ["meta"] + ["edge"] * 6 + ["node"] * 5
    assert kinds[12] == "end"
