"""CloudEvents attributes in Kafka headers."""

from __future__ import annotations

import time

import pytest

from snowshed.schemas import Heartbeat
from snowshed.schemas.cloudevents import event_id, headers

BEAT = Heartbeat(node="web-1", service="web", seq=7.0, sent_at=1.5, monotonic=2.5, interval=1.0)


def test_a_record_is_described_in_binary_mode() -> None:
    assert sorted(headers(BEAT, event_id="web-1/7", source="/snowshed/node/web-1", time=1_700_000_000.25)) == [
        ("ce_id", b"web-1/7"),
        ("ce_source", b"/snowshed/node/web-1"),
        ("ce_specversion", b"1.0"),
        ("ce_time", b"2023-11-14T22:13:20.250000Z"),
        ("ce_type", b"snowshed.Heartbeat.v1"),
        ("content-type", b"application/avro"),
    ]


def test_times_are_utc_wherever_the_writer_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        stamped = dict(headers(BEAT, event_id="1", source="/s", time=0.0))["ce_time"]
    time.tzset()
    assert stamped == b"1970-01-01T00:00:00.000000Z"


def test_sequences_sort_as_text() -> None:
    first, second = (
        dict(headers(BEAT, event_id="1", source="/s", time=0.0, sequence=n))["ce_sequence"] for n in (9, 10)
    )
    assert (first, second) == (b"000000000009", b"000000000010")


def test_the_event_id_is_read_back() -> None:
    assert event_id(headers(BEAT, event_id="ä/7", source="/s", time=0.0)) == "ä/7"


def test_headers_of_other_programs_have_no_event_id() -> None:
    assert event_id(None) == ""
    assert event_id([("id", b"x"), ("ce_id", None)]) == ""
    assert event_id([("ce_id", b"\xff")]) == "\ufffd"
