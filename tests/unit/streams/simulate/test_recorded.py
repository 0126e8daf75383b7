"""A recording whose telemetry is sent again."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from snowshed.schemas.catalogue import current_schema
from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Heartbeat, PolicyChange, SlowSample, TimingBatch
from snowshed.streams.folding import Message
from snowshed.streams.replay import Recorded, Recording, read_recording
from snowshed.streams.simulate import SCENARIOS, again, record_scenario
from snowshed.streams.simulate.recorded import CLOCK_FIELDS

_START, _LATER = 1_790_000_000.0, 1_800_000_000.0


def recording(folder: Path) -> Recording:
    path = folder / "run.jsonl.gz"
    record_scenario(path, SCENARIOS["retry-storm"].lasting(2.0).events(1, start=_START), 2)
    return read_recording(path)


def test_what_was_reported_is_sent_in_its_order_with_all_clocks_moved_alike(tmp_path: Path) -> None:
    events = list(SCENARIOS["retry-storm"].lasting(2.0).events(1, start=_START))
    found = again(recording(tmp_path), _LATER)
    assert (len(found.events), found.left_out) == (len(events), 0)
    assert [event.at for event in found.events] == sorted(event.at for event in found.events)
    assert found.events[0].at == _LATER
    by = _LATER - (events[0].at + 0.005)
    beats = [event.record for event in found.events if isinstance(event.record, Heartbeat)]
    sent = [event.record for event in events if isinstance(event.record, Heartbeat)]
    assert [(one.node, one.seq) for one in beats] == [(one.node, one.seq) for one in sent]
    for clock in ("sent_at", "monotonic"):
        assert [getattr(one, clock) for one in beats] == pytest.approx(
            [getattr(one, clock) + by for one in sent], abs=1e-3
        )


def test_a_slow_call_is_moved_with_its_batch(tmp_path: Path) -> None:
    whole, codec = recording(tmp_path), Codec()
    one = next(one for one in whole.records if one.topic == "timings")
    batch = codec.decode(one.message.value)
    assert isinstance(batch, TimingBatch)
    slow = replace(batch, slow=(SlowSample(row=0, started_at=_START, seconds=2.0, outcome="timeout", attempt=0),))
    message = Message(0, _START + 2.0, one.message.key, codec.encode(slow))
    [event] = again(Recording({}, (replace(one, message=message),)), _LATER + 2.0).events
    moved, by = event.record, _LATER - _START
    assert isinstance(moved, TimingBatch)
    assert (moved.window_start, moved.sent_at) == pytest.approx((slow.window_start + by, slow.sent_at + by))
    assert moved.slow == (replace(slow.slow[0], started_at=_LATER),)


def test_what_is_no_telemetry_is_left_out_and_counted(tmp_path: Path) -> None:
    whole = recording(tmp_path)
    change = PolicyChange(domain="", revision=1, fingerprint="", text="", reason="", changed_at=_START)
    others = [
        Recorded("heartbeats", 0, Message(9_000, _START + 9.0, b"policy", Codec().encode(change))),
        Recorded("timings", 0, Message(9_001, _START + 9.0, b"x", b"no record")),
        Recorded("timings", 0, Message(9_002, _START + 9.0, b"x", None)),
        Recorded("observations", 0, Message(9_003, _START + 9.0, b"x", b"an output")),
    ]
    found = again(replace(whole, records=(*whole.records, *others)), _LATER)
    assert (len(found.events), found.left_out) == (len(whole.records), 3)
    assert again(Recording({}, ()), _LATER).events == ()


def test_every_reading_of_a_clock_is_known() -> None:
    for kind, clocks in CLOCK_FIELDS.items():
        names = {field.name for field in fields(kind)}
        assert clocks <= names
        assert {name for name in names if name.endswith("_at") or name in {"monotonic", "window_start"}} <= clocks
    documented = {
        (record, str(field["name"]))
        for record in CLOCK_FIELDS
        if record.__name__ != "SlowSample"
        for field in current_schema(record).parsed["fields"]
        if "Unix epoch" in field.get("doc", "")
    }
    assert documented == {
        (record, name)
        for record, names in CLOCK_FIELDS.items()
        if record.__name__ != "SlowSample"
        for name in names - {"monotonic"}
    }
