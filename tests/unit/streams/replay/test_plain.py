from __future__ import annotations

from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from tests.support.records import any_record, same

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Heartbeat, Incident, IncidentKind, IncidentStatus, Record
from snowshed.streams.folding import Message
from snowshed.streams.replay import Recorded, read_recording, write_recording
from snowshed.streams.replay.plain import from_plain, to_plain

BEAT = Heartbeat(node="a-1", service="a", seq=3.0, sent_at=5.25, monotonic=1.0, interval=0.5, cpu=nan)
CLOSED = Incident(
    incident_id="x",
    domain="default",
    kind=IncidentKind.OVERLOAD,
    status=IncidentStatus.CLOSED,
    subject="a",
    summary="",
    opened_at=1.0,
    updated_at=2.0,
    closed_at=2.0,
    confidence=0.5,
    detector_lag=0.0,
)


@settings(max_examples=60)
@given(any_record())
def test_a_record_in_clear_is_read_as_the_record_that_was_written(record: Record) -> None:
    again = from_plain(type(record).__name__, orjson.loads(orjson.dumps(to_plain(record))))
    assert same(again, record)


def test_what_is_not_known_is_null_and_what_is_as_usual_is_left_out() -> None:
    plain = to_plain(replace(BEAT, round_trip=0.5))
    assert plain == {
        "node": "a-1",
        "service": "a",
        "seq": 3,
        "sent_at": 5.25,
        "monotonic": 1,
        "interval": 0.5,
        "round_trip": 0.5,
    }
    again = from_plain("Heartbeat", {**plain, "round_trip": None})
    assert isinstance(again, Heartbeat)
    assert isnan(again.round_trip)


def test_a_number_that_may_be_missing_comes_back_as_a_float() -> None:
    again = from_plain("Incident", orjson.loads(orjson.dumps(to_plain(CLOSED))))
    assert isinstance(again, Incident)
    assert isinstance(again.closed_at, float)
    assert again == CLOSED


def test_a_recording_in_clear_holds_the_same_messages(tmp_path: Path) -> None:
    record = Recorded("heartbeats", 0, Message(7, 5.5, b"a-1", Codec().encode(BEAT)))
    write_recording(tmp_path / "clear.jsonl.gz", {"heartbeats": 1}, [record], clear=True)
    assert read_recording(tmp_path / "clear.jsonl.gz").records == (record,)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('"type": "Heartbeet", "record": {}', "no record 'Heartbeet'"),
        ('"type": "Heartbeat", "record": {"node": "a"}', "no Heartbeat: TypeError"),
        ('"type": "Heartbeat", "record": {"nod": "a"}', "no Heartbeat: KeyError"),
    ],
)
def test_a_line_that_is_no_record_is_refused_by_its_number(line: str, says: str, tmp_path: Path) -> None:
    head = '{"kind": "meta", "format": "snowshed-recording/1", "partitions": {}}\n'
    place = '"kind": "record", "topic": "heartbeats", "partition": 0, "offset": 0, "timestamp": 1.0, "name": "a"'
    (tmp_path / "bad.jsonl").write_text(f"{head}{{{place}, {line}}}\n")
    with pytest.raises(ConfigurationError, match=f"line 2: .*{says}"):
        read_recording(tmp_path / "bad.jsonl")
