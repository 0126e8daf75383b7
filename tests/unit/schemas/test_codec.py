"""Records survive the wire; anything else on it ends in a DecodeError that says what is wrong."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.records import any_record, same

from snowshed.schemas import (
    Codec,
    ConfigurationError,
    Decision,
    DecisionKind,
    DecodeError,
    Evidence,
    Heartbeat,
    Notice,
    NotOurs,
    PriorityFloor,
    Record,
    SchemaMismatch,
    ScopeKind,
    TimingBatch,
    Truncated,
    UnknownSchema,
    Vantage,
)
from snowshed.schemas.catalogue import embedded_catalogue

CODEC = Codec()
NOTICE = Notice(
    notice_id="n1", incident_id="i1", domain="shop", severity="page", title="down", text="it is", issued_at=1.5
)
HEARTBEAT = Heartbeat(node="web-1", service="web", seq=7.0, sent_at=1.5, monotonic=2.5, interval=1.0)
DECISION = Decision(
    decision_id="d1",
    domain="shop",
    scope="web>db",
    scope_kind=ScopeKind.EDGE,
    kind=DecisionKind.RETRY,
    active=True,
    epoch=1,
    seq=2,
    issued_at=3.0,
    ttl=10.0,
    priority_floor=PriorityFloor(level=2, cohort=64),
    reason="retries amplify",
    evidence=(Evidence(series="A/F", value=2.0, threshold=1.5, unit="1", at=3.0, topic="t", partition=1, offset=9),),
    confidence=0.9,
)
BATCH = TimingBatch(
    reporter="web-1",
    service="web",
    callee="db",
    vantage=Vantage.CALLER,
    window_start=1.0,
    window=1.0,
    sent_at=2.0,
    strings=(),
    caller=(),
    operation=(),
    statement=(),
    first=(),
    attempts=(),
    ok=(),
    error_local=(),
    error_downstream=(),
    rejected=(),
    timeout=(),
    in_flight_max=(),
    queue_delay_sum=(),
    queue_delay_max=(),
    latency_sum=(),
    latency_end=(),
    latency_bucket=(),
    latency_count=(),
)
HUGE = (2**31, 2**40, 2**62, 2**63 - 1, -1, -(2**40), -(2**63))


def varint(number: int) -> bytes:
    """Avro's zigzag coding."""
    rest = number << 1 if number >= 0 else -number * 2 - 1
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])


def frame(record: type[Any], payload: bytes = b"") -> bytes:
    return b"\x00" + embedded_catalogue().id_of(record).to_bytes(4, "big") + payload


@given(any_record())
def test_a_record_read_back_is_the_record_written(record: Record) -> None:
    assert same(CODEC.decode(CODEC.encode(record)), record)


def test_bytes_start_with_a_confluent_frame() -> None:
    assert CODEC.encode(NOTICE)[:5] == frame(Notice)


@pytest.mark.parametrize("raw", [None, b""])
def test_an_empty_value_is_not_ours(raw: bytes | None) -> None:
    with pytest.raises(NotOurs, match="empty"):
        CODEC.decode(raw)


def test_a_value_of_another_program_is_not_ours() -> None:
    with pytest.raises(NotOurs, match="byte 0x7b"):
        CODEC.decode(b'{"json": true}')


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_half_a_frame_is_truncated(size: int) -> None:
    with pytest.raises(Truncated, match=f"{size} of 5 bytes"):
        CODEC.decode(CODEC.encode(NOTICE)[:size])


def test_an_id_nobody_knows_is_an_unknown_schema() -> None:
    with pytest.raises(UnknownSchema):
        CODEC.decode(b"\x00\x00\x00\x00\x01rest")


@given(st.data(), any_record())
def test_a_value_cut_anywhere_is_truncated(data: st.DataObject, record: Record) -> None:
    raw = CODEC.encode(record)
    size = data.draw(st.integers(5, len(raw) - 1))
    with pytest.raises(Truncated, match=type(record).__name__):
        CODEC.decode(raw[:size])


@given(any_record(), st.binary(min_size=1, max_size=9))
def test_bytes_left_over_are_a_mismatch(record: Record, rest: bytes) -> None:
    with pytest.raises(SchemaMismatch, match=f"{len(rest)} bytes are left over"):
        CODEC.decode(CODEC.encode(record) + rest)


@given(st.sampled_from([Heartbeat, TimingBatch, Decision]), st.binary(max_size=300))
@example(Heartbeat, b"")
def test_random_bytes_behind_a_good_frame_raise_nothing_but_decode_errors(record: type[Any], payload: bytes) -> None:
    with suppress(DecodeError):
        CODEC.decode(frame(record, payload))


@given(st.binary(max_size=40))
def test_random_bytes_raise_nothing_but_decode_errors(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        CODEC.decode(raw)


@given(st.data(), any_record())
def test_damaged_bytes_raise_nothing_but_decode_errors(data: st.DataObject, record: Record) -> None:
    raw = bytearray(CODEC.encode(record))
    at = data.draw(st.integers(5, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        read = CODEC.decode(bytes(raw))
    except DecodeError:
        return
    # What is still accepted must be a record that writes and reads like any other.
    assert same(CODEC.decode(CODEC.encode(read)), read)


@pytest.mark.parametrize("count", HUGE)
def test_an_array_that_claims_more_items_than_there_are_bytes_is_refused_at_once(count: int) -> None:
    raw = CODEC.encode(BATCH)
    at = len(raw) - 19  # the batch's arrays, all empty
    with pytest.raises((Truncated, SchemaMismatch)):
        CODEC.decode(raw[:at] + varint(count) + raw[at + 1 :])


@pytest.mark.parametrize("length", [length for length in HUGE if length > 0])
def test_a_string_that_claims_more_bytes_than_there_are_is_truncated(length: int) -> None:
    with pytest.raises(Truncated):
        CODEC.decode(frame(Notice, varint(length) + b"abc"))


@pytest.mark.parametrize("length", [length for length in HUGE if length < 0])
def test_a_string_cannot_lead_back_to_bytes_before_it(length: int) -> None:
    with pytest.raises(SchemaMismatch, match=f"a length is {length}"):
        CODEC.decode(frame(Notice, varint(length) + b"abc"))


def _with_status(index: int) -> bytes:
    raw = CODEC.encode(HEARTBEAT)
    at = len(raw) - 15 * 8 - 1
    return raw[:at] + varint(index) + raw[at + 1 :]


@pytest.mark.parametrize("index", [-1, -3, 3, 2**40])
def test_an_enum_index_outside_its_symbols_is_a_mismatch(index: int) -> None:
    """A negative one would count from the end in a reader that trusts it."""
    with pytest.raises(SchemaMismatch, match=f"a choice is {index}"):
        CODEC.decode(_with_status(index))


@pytest.mark.parametrize("index", [-1, 2, 1000])
def test_a_union_index_outside_its_branches_is_a_mismatch(index: int) -> None:
    raw = CODEC.encode(replace(DECISION, priority_floor=PriorityFloor(level=77, cohort=99)))
    at = raw.index(b"\x02" + varint(77) + varint(99))
    with pytest.raises(SchemaMismatch, match=f"a choice is {index}"):
        CODEC.decode(raw[:at] + varint(index) + raw[at + 1 :])


def test_a_boolean_is_zero_or_one() -> None:
    raw = CODEC.encode(replace(DECISION, epoch=77))
    at = raw.index(varint(77)) - 1
    with pytest.raises(SchemaMismatch, match="a boolean is 5"):
        CODEC.decode(raw[:at] + b"\x05" + raw[at + 1 :])


def test_a_string_that_is_not_utf8_is_a_mismatch() -> None:
    with pytest.raises(SchemaMismatch, match="utf-8"):
        CODEC.decode(frame(Notice, varint(2) + b"\xff\xfe"))


@pytest.mark.parametrize("number", [b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x01", b"\xff" * 5000])
def test_a_number_of_more_than_64_bits_is_a_mismatch(number: bytes) -> None:
    with pytest.raises(SchemaMismatch, match="64 bits"):
        CODEC.decode(frame(Notice, number))


def test_array_blocks_that_carry_their_size_are_read() -> None:
    """Other Avro writers use them; fastavro does not."""
    batch = replace(BATCH, strings=("ab", "c"), caller=(1.0, 0.5))
    raw = CODEC.encode(batch)
    for plain, sized in (
        (varint(2) + b"\x04ab\x02c", varint(-1) + varint(3) + b"\x04ab" + varint(-1) + varint(2) + b"\x02c"),
        (varint(2) + b"\x00\x00\x80\x3f", varint(-2) + varint(8) + b"\x00\x00\x80\x3f"),
    ):
        assert raw.count(plain) == 1
        raw = raw.replace(plain, sized)
    assert same(CODEC.decode(raw), batch)


def test_a_value_that_does_not_fit_its_schema_is_the_callers_mistake() -> None:
    with pytest.raises(ConfigurationError, match="Notice cannot be encoded"):
        CODEC.encode(replace(NOTICE, issued_at=cast("float", "noon")))


def test_a_string_that_has_no_utf8_form_is_the_callers_mistake() -> None:
    with pytest.raises(ConfigurationError, match="surrogates not allowed"):
        CODEC.encode(replace(NOTICE, title="host\udc80"))


def test_a_part_of_a_record_does_not_travel_by_itself() -> None:
    with pytest.raises(ConfigurationError, match="PriorityFloor"):
        CODEC.encode(cast("Record", PriorityFloor(level=1, cohort=1)))
