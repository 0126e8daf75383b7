"""The timing reader reads what the codec reads, and rejects what it rejects."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isnan, nan
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import DecodeError
from snowshed.schemas.records import Heartbeat, SlowSample, TimingBatch, Vantage
from snowshed.streams.edges.columns import NUMBERS, TimingReader
from snowshed.streams.edges.groups import grouped, ranked
from snowshed.streams.edges.layout import COLUMNS, Unusual, walk
from snowshed.streams.folding import Message

CODEC = Codec()
number = st.integers(0, 1000).map(float)
text = st.text(max_size=3)


def _halved(value: float) -> float:
    return value / 2


@st.composite
def batches(draw: st.DrawFn) -> TimingBatch:
    strings = tuple(draw(st.lists(text, min_size=1, max_size=70)))
    rows = draw(st.sampled_from([0, 1, 2, 64]))
    index = st.integers(0, len(strings) - 1).map(float)
    column = st.lists(number, min_size=rows, max_size=rows).map(tuple)
    lengths = draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows))
    buckets = sum(lengths)
    return TimingBatch(
        reporter=draw(text),
        service=draw(text),
        callee=draw(text),
        vantage=draw(st.sampled_from(Vantage)),
        window_start=draw(number),
        window=draw(st.floats(0.1, 2.0)),
        urgent=draw(st.booleans()),
        sent_at=draw(number),
        strings=strings,
        caller=tuple(draw(st.lists(index, min_size=rows, max_size=rows))),
        operation=draw(column),
        statement=draw(column),
        **cast("dict[str, Any]", {name: draw(column) for name in NUMBERS}),
        latency_end=tuple(float(sum(lengths[: row + 1])) for row in range(rows)),
        latency_bucket=tuple(draw(st.lists(st.integers(0, 300).map(float), min_size=buckets, max_size=buckets))),
        latency_count=tuple(draw(st.lists(number.map(_halved), min_size=buckets, max_size=buckets))),
        cache_hits=draw(st.sampled_from([(), (2.0,) * rows])),
        slow=tuple(
            draw(
                st.lists(
                    st.builds(
                        SlowSample,
                        row=st.integers(-9, 9999),
                        started_at=number,
                        seconds=number,
                        outcome=text,
                        attempt=st.integers(0, 3),
                        evidence=text,
                    ),
                    max_size=2,
                )
            )
        ),
    )


def assert_read_as_decoded(values: list[bytes | None]) -> None:
    decoded = TimingReader(CODEC, 2).read([Message(offset, 0.0, None, value) for offset, value in enumerate(values)])
    columns = decoded.records
    rejected = [reject.message.offset for reject in decoded.rejects]
    assert sorted([*columns.offsets, *rejected]) == list(range(len(values)))
    first_row = first_bucket = 0
    for message, offset in enumerate(columns.offsets):
        record = CODEC.decode(values[offset])
        assert isinstance(record, TimingBatch)
        assert columns.reporters[message] == record.reporter
        assert columns.callees[message] == record.callee
        assert columns.vantages[message] is record.vantage
        assert columns.windows[message] == record.window
        assert columns.urgent[message] is record.urgent
        rows = slice(first_row, first_row + len(record.caller))
        assert (columns.message_of_row[rows] == message).all()
        hits = columns.hits[rows].tolist() if columns.hits.size else [nan] * len(record.caller)
        assert [-1.0 if isnan(count) else count for count in hits] == list(record.cache_hits or (-1.0,) * len(hits))
        for index, statement in zip(columns.statement_of_row[rows].tolist(), record.statement, strict=False):
            text = record.strings[int(statement)] if statement < len(record.strings) else ""
            assert (columns.statements[index][0] if index >= 0 else "") == text
        callers = [columns.callers[int(index)] for index in columns.caller_of_row[rows].tolist()]
        assert callers == [record.strings[int(index)] for index in record.caller]
        for index, name in enumerate(NUMBERS):
            assert np.array_equal(columns.values[index, rows], getattr(record, name))
        buckets = slice(first_bucket, first_bucket + len(record.latency_bucket))
        assert columns.buckets[buckets].tolist() == [int(bucket) for bucket in record.latency_bucket]
        assert columns.counts[buckets].tolist() == list(record.latency_count)
        owners = [sum(end <= index for end in record.latency_end) for index in range(len(record.latency_bucket))]
        assert columns.row_of_bucket[buckets].tolist() == [first_row + owner for owner in owners]
        first_row, first_bucket = rows.stop, buckets.stop
    assert (columns.values.shape[1], len(columns.buckets)) == (first_row, first_bucket)


@settings(max_examples=40)
@given(st.lists(batches().map(CODEC.encode), max_size=3))
def test_batches_are_read_as_the_codec_reads_them_without_its_help(values: list[bytes]) -> None:
    for value in values:
        walk(value, 5)
    assert_read_as_decoded([*values, *values])


@given(batches().map(CODEC.encode), st.data())
def test_damage_is_rejected_wherever_the_codec_rejects_it(raw: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(raw) - 1))
    damaged = raw[:position] + data.draw(st.binary(max_size=3)) + raw[position + data.draw(st.integers(0, 3)) :]
    reader = TimingReader(CODEC)
    decoded = reader.read([Message(0, 0.0, None, damaged)])
    try:
        CODEC.decode(damaged)
    except DecodeError:
        assert len(decoded.rejects) == 1
    if not decoded.rejects:
        assert_read_as_decoded([damaged])


@given(st.lists(st.one_of(st.binary(max_size=60), st.none()), max_size=4))
def test_junk_is_rejected(values: list[bytes | None]) -> None:
    decoded = TimingReader(CODEC).read([Message(0, 0.0, None, value) for value in values])
    assert len(decoded.rejects) == len(values)


def one_row(**changes: object) -> TimingBatch:
    columns: dict[str, Any] = {**dict.fromkeys(COLUMNS, (0.0,)), "latency_end": (1.0,)}
    record = TimingBatch(
        reporter="r",
        service="s",
        callee="c",
        vantage=Vantage.CALLER,
        window_start=0.0,
        window=1.0,
        sent_at=0.0,
        strings=("a",),
        **columns,
        latency_bucket=(7.0,),
        latency_count=(1.0,),
    )
    return replace(record, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"caller": (1.0,)},
        {"caller": (-1.0,)},
        {"first": (nan,)},
        {"attempts": (inf,)},
        {"ok": (-1.0,)},
        {"window": 0.0},
        {"window": nan},
        {"latency_bucket": (100_000.0,)},
        {"latency_bucket": (-1.0,)},
        {"latency_count": (nan,)},
        {"latency_count": (-1.0,)},
        {"latency_end": (2.0,)},
        {"latency_end": (0.0,)},
        {"first": (1.0, 2.0)},
        {"latency_count": ()},
    ],
)
def test_numbers_that_cannot_be_are_rejected(changes: dict[str, object]) -> None:
    good, bad = CODEC.encode(one_row()), CODEC.encode(one_row(**changes))
    decoded = TimingReader(CODEC).read([Message(0, 0.0, None, good), Message(1, 0.0, None, bad)])
    assert decoded.records.offsets == (0,)
    assert [reject.message.offset for reject in decoded.rejects] == [1]


def test_calls_in_flight_that_a_reporter_could_not_count_are_none() -> None:
    raw = CODEC.encode(one_row(in_flight_max=(nan,), first=(3.0,)))
    decoded = TimingReader(CODEC).read([Message(0, 0.0, None, raw)])
    assert decoded.rejects == ()
    assert decoded.records.values[NUMBERS.index("in_flight_max")].tolist() == [0.0]
    assert decoded.records.values[NUMBERS.index("first")].tolist() == [3.0]


def test_another_kind_of_record_is_rejected_and_no_messages_give_a_tick() -> None:
    raw = CODEC.encode(Heartbeat(node="n", service="s", seq=1, sent_at=1, monotonic=1, interval=1))
    decoded = TimingReader(CODEC).read([Message(0, 0.0, None, raw)])
    assert len(decoded.rejects) == 1
    assert decoded.records.values.shape == (len(NUMBERS), 0)


def test_arrays_split_into_blocks_are_left_to_the_codec_and_still_read() -> None:
    raw = CODEC.encode(one_row(slow=()))
    at = raw.index(b"\x02" + b"\x02a" + b"\x00") + 4
    split = raw[:at] + b"\x01\x08" + raw[at + 1 :]
    with pytest.raises(Unusual):
        walk(split, 5)
    assert_read_as_decoded([split, raw])
    assert not TimingReader(CODEC).read([Message(0, 0.0, None, split)]).rejects


def test_a_column_that_goes_on_past_its_end_is_left_to_the_codec() -> None:
    raw = CODEC.encode(one_row())
    end = raw.index(b"\x02" + b"\x02a" + b"\x00") + 4 + 5
    damaged = raw[:end] + b"\x02" + raw[end + 1 :]
    with pytest.raises(Unusual):
        walk(damaged, 5)
    assert len(TimingReader(CODEC).read([Message(0, 0.0, None, damaged)]).rejects) == 1


@given(st.lists(st.integers(0, 40), max_size=60))
def test_codes_are_ranked_as_numpy_does_it(codes: list[int]) -> None:
    found, places = ranked(np.array(codes, np.int64))
    expected = np.unique(np.array(codes, np.int64), return_inverse=True)
    assert (found.tolist(), places.tolist()) == (expected[0].tolist(), expected[1].tolist())


@settings(max_examples=40)
@given(st.lists(batches(), max_size=6))
def test_the_reporters_of_an_edge_are_those_with_a_row_of_it_once_and_in_order(records: list[TimingBatch]) -> None:
    messages = [Message(offset, 0.0, None, CODEC.encode(record)) for offset, record in enumerate(records)]
    decoded = TimingReader(CODEC).read(messages)
    groups = grouped(decoded.records)
    expected: dict[tuple[str, str, bool], set[str]] = {}
    for record in (records[offset] for offset in decoded.records.offsets):
        for caller in record.caller:
            edge = (record.callee, record.strings[int(caller)], record.vantage is Vantage.CALLER)
            expected.setdefault(edge, set()).add(record.reporter)
    edges = zip(groups.callee, groups.caller, groups.by_caller.tolist(), strict=True)
    assert dict(zip(edges, groups.reporters, strict=True)) == {
        edge: tuple(sorted(reporters)) for edge, reporters in expected.items()
    }


def test_the_reporters_of_edges_that_are_in_the_same_messages_are_put_together_once() -> None:
    """So that each of a thousand processes of a service costs no more than each of ten."""
    columns: dict[str, Any] = dict.fromkeys(COLUMNS, (0.0, 0.0))
    record = one_row(**{**columns, "caller": (0.0, 1.0)}, strings=("web", "jobs"), latency_bucket=(), latency_count=())
    messages = [
        Message(offset, 0.0, None, CODEC.encode(replace(record, reporter=f"api-{9 - offset}"))) for offset in range(3)
    ]
    one, other = grouped(TimingReader(CODEC).read(messages).records).reporters
    assert one == ("api-7", "api-8", "api-9")
    assert one is other
