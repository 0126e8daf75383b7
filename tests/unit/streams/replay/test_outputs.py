"""What stands on the topics against what should: changed, missing, unexpected, repeated, replaced, expired."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace
from math import inf

import pytest
from tests.unit.streams.replay.lanes import PARTITIONS, Night, messages

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import DeadLetter
from snowshed.schemas.topics import Topics
from snowshed.streams.replay.differences import Difference, Findings, Kind
from snowshed.streams.replay.expectations import OUTPUT_SPECS, expectations
from snowshed.streams.replay.ledger import Ledger
from snowshed.streams.replay.log import Record
from snowshed.streams.replay.outputs import OutputCheck, Window, Writer
from snowshed.streams.transactions.letters import cut

SOURCE = "/snowshed/heartbeats/0"
NIGHT = Night([messages([1, 2, 3, b"not ours", 4, 5])[:3], messages([1, 2, 3, b"not ours", 4, 5])[3:]])
SPECS = {spec.name: spec for spec in OUTPUT_SPECS}
Placed = tuple[str, int, Record]


@pytest.fixture
def ledger() -> Generator[Ledger]:
    ledger = Ledger()
    for refolded in NIGHT.refolded():
        ledger.expect(expectations(refolded, Codec(), Topics(), dict.fromkeys(SPECS, PARTITIONS)))
    yield ledger
    ledger.close()


def looked(
    ledger: Ledger,
    records: Iterable[Placed],
    *,
    window: Window | None = None,
    low: int = 0,
    compacted: bool = False,
    moved: bool = False,
) -> OutputCheck:
    """A finished check of these records."""
    first = NIGHT.entries[0].now
    writers = {SOURCE: Writer("heartbeats", 0, window or Window(since=first, until=NIGHT.entries[-1].now))}
    check = OutputCheck(ledger, Findings(), Codec(), {**writers, "/snowshed/domain/0": Writer("domain", 0, None)})
    for spec in OUTPUT_SPECS:
        for partition in range(PARTITIONS):
            check.open(spec, partition, low)
    for topic, partition, record in records:
        spec = SPECS[topic]
        check.look(replace(spec, cleanup="compact") if compacted else spec, partition, record)
    check.finish(lambda _: moved)
    return check


def found(check: OutputCheck) -> list[Difference]:
    return check.findings.kept


def with_headers(record: Record, **changes: str | None) -> Record:
    """The record with other CloudEvents attributes; None removes one."""
    headers = {name: value for name, value in record.headers if f"{name}" not in changes or changes[name] is not None}
    return Record(record.message, (*(headers | {k: v.encode() for k, v in changes.items() if v}).items(),))


def test_what_stands_there_as_it_should_is_counted(ledger: Ledger) -> None:
    check = looked(ledger, NIGHT.outputs)
    assert (check.equal, found(check)) == (6, [])


@pytest.mark.parametrize("part", ["value", "key", "header"])
def test_a_change_of_any_byte_is_found(ledger: Ledger, part: str) -> None:
    topic, partition, record = NIGHT.outputs[1]
    if part == "header":
        changed = with_headers(record, ce_type="snowshed.Notice.v9")
    else:
        message = record.message
        other = message._replace(value=b"other") if part == "value" else message._replace(key=b"other")
        changed = Record(other, record.headers)
    check = looked(ledger, [NIGHT.outputs[0], (topic, partition, changed), *NIGHT.outputs[2:]])
    [difference] = found(check)
    assert (difference.kind, difference.version, difference.index) == (Kind.CHANGED, 1, 1)
    assert (difference.topic, difference.topic_partition, difference.offset) == (topic, partition, 0)


def test_an_output_on_another_partition_is_found(ledger: Ledger) -> None:
    topic, partition, record = NIGHT.outputs[0]
    check = looked(ledger, [(topic, (partition + 1) % PARTITIONS, record), *NIGHT.outputs[1:]])
    [difference] = found(check)
    assert difference.kind is Kind.CHANGED
    assert f"belongs on {topic}[{partition}]" in difference.reason


def test_a_missing_output_is_found_with_its_place(ledger: Ledger) -> None:
    topic, partition, record = NIGHT.outputs[0]
    check = looked(ledger, NIGHT.outputs[1:])
    [difference] = found(check)
    assert (difference.kind, difference.topic, difference.topic_partition) == (Kind.MISSING, topic, partition)
    assert (difference.key, difference.offset) == ((record.message.key or b"").decode(), -1)


def test_compaction_explains_what_a_later_record_of_its_key_has_replaced(ledger: Ledger) -> None:
    # Not the cleanup of this topic in the catalogue, so the check of what is missing has to be told.
    health = [("health", partition, record) for topic, partition, record in NIGHT.outputs if topic == "notices"]
    rows = [*ledger.missing()]
    ledger.expect(row._replace(topic="health") for row in rows if row.topic == "notices")
    [letter] = [placed for placed in NIGHT.outputs if placed[0] == "dead-letters"]
    check = looked(ledger, [*health[2:], letter], compacted=True)
    assert (check.compacted, found(check)) == (2, [])


def test_compaction_does_not_explain_that_the_last_record_of_a_key_is_missing(ledger: Ledger) -> None:
    rows = [*ledger.missing()]
    ledger.expect(row._replace(topic="health") for row in rows if row.topic == "notices")
    [letter] = [placed for placed in NIGHT.outputs if placed[0] == "dead-letters"]
    health = [("health", partition, record) for topic, partition, record in NIGHT.outputs if topic == "notices"]
    check = looked(ledger, [*health[:-1], letter], compacted=True)
    assert [difference.kind for difference in found(check)] == [Kind.MISSING]


def test_a_letter_of_a_notice_that_could_not_be_delivered_is_no_output(ledger: Ledger) -> None:
    [(topic, partition, letter)] = [placed for placed in NIGHT.outputs if placed[0] == "dead-letters"]
    told = with_headers(letter, ce_source="/snowshed/notifier", ce_id="notices-0-1")
    check = looked(ledger, [*NIGHT.outputs, (topic, partition, told)])
    assert (check.equal, found(check)) == (6, [])


def test_what_is_older_than_a_topics_first_record_has_expired(ledger: Ledger) -> None:
    check = looked(ledger, NIGHT.outputs[3:], low=17)
    assert (check.expired, found(check)) == (3, [])


def test_a_record_that_no_batch_gives_is_unexpected(ledger: Ledger) -> None:
    foreign = with_headers(NIGHT.outputs[0][2], ce_id="0" * 32)
    check = looked(ledger, [*NIGHT.outputs, ("decisions", 1, foreign)])
    [difference] = found(check)
    assert (difference.kind, difference.topic, difference.agent) == (Kind.UNEXPECTED, "decisions", "heartbeats")
    assert {one.expected for one in difference.fields} == {None}


@pytest.mark.parametrize("source", [None, "/snowshed/heartbeats/9", "/elsewhere"])
def test_a_record_that_names_no_lane_is_unexpected_whenever_it_was_written(ledger: Ledger, source: str | None) -> None:
    foreign = with_headers(NIGHT.outputs[0][2], ce_source=source, ce_time="1999-01-01T00:00:00Z")
    check = looked(ledger, [*NIGHT.outputs, ("decisions", 1, foreign)])
    assert [difference.kind for difference in found(check)] == [Kind.UNEXPECTED]


def test_records_of_lanes_that_are_not_proved_are_passed_over(ledger: Ledger) -> None:
    other = with_headers(NIGHT.outputs[0][2], ce_source="/snowshed/domain/0", ce_id="1" * 32)
    assert found(looked(ledger, [*NIGHT.outputs, ("decisions", 1, other)])) == []


def test_a_record_that_stands_there_twice_is_found(ledger: Ledger) -> None:
    check = looked(ledger, [*NIGHT.outputs, NIGHT.outputs[2]])
    assert [difference.kind for difference in found(check)] == [Kind.REPEATED]


def test_what_is_older_than_the_window_is_passed_over(ledger: Ledger) -> None:
    old = with_headers(NIGHT.outputs[0][2], ce_id="2" * 32, ce_time="1970-01-01T00:01:00Z")
    assert found(looked(ledger, [*NIGHT.outputs, ("notices", 1, old)])) == []


@pytest.mark.parametrize("moved", [True, False])
def test_what_is_later_than_the_last_batch_may_be_of_a_worker_that_goes_on(ledger: Ledger, moved: bool) -> None:
    late = with_headers(NIGHT.outputs[0][2], ce_id="3" * 32, ce_time="1970-01-01T01:00:00Z")
    check = looked(ledger, [*NIGHT.outputs, ("notices", 1, late)], moved=moved)
    assert len(found(check)) == (not moved)


def test_at_the_moment_of_the_checkpoint_a_record_may_be_of_a_batch_before(ledger: Ledger) -> None:
    window = Window(since=NIGHT.entries[0].now, floor=NIGHT.entries[0].now, until=inf)
    same = with_headers(NIGHT.outputs[0][2], ce_id="4" * 32)
    assert found(looked(ledger, [*NIGHT.outputs, ("notices", 1, same)], window=window)) == []


def test_the_mark_of_a_letter_that_was_put_back_is_nobodys_output(ledger: Ledger) -> None:
    [(topic, partition, record)] = [one for one in NIGHT.outputs if one[0] == "dead-letters"]
    mark = Record(record.message._replace(value=None), (("snowshed-retried-at", b"1"),))
    assert found(looked(ledger, [*NIGHT.outputs, (topic, partition, mark)])) == []


@pytest.mark.parametrize("form", ["headers", "cut"])
def test_a_letter_may_have_its_records_headers_or_be_cut(ledger: Ledger, form: str) -> None:
    [placed] = [one for one in NIGHT.outputs if one[0] == "dead-letters"]
    topic, partition, record = placed
    letter = Codec().decode(record.message.value)
    assert isinstance(letter, DeadLetter)
    other = cut(letter) if form == "cut" else replace(letter, header_names=("trace",), header_values=(b"1",))
    written = Record(record.message._replace(value=Codec().encode(other)), record.headers)
    rest = [one for one in NIGHT.outputs if one is not placed]
    assert found(looked(ledger, [*rest, (topic, partition, written)])) == []


def test_a_letter_that_gives_another_reason_is_changed(ledger: Ledger) -> None:
    [placed] = [one for one in NIGHT.outputs if one[0] == "dead-letters"]
    topic, partition, record = placed
    letter = Codec().decode(record.message.value)
    assert isinstance(letter, DeadLetter)
    forged = Record(record.message._replace(value=Codec().encode(replace(letter, reason="?"))), record.headers)
    rest = [one for one in NIGHT.outputs if one is not placed]
    [difference] = found(looked(ledger, [*rest, (topic, partition, forged)]))
    assert difference.kind is Kind.CHANGED
