"""Other Avro implementations read what the codec writes, and it reads what they write."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import replace
from typing import Any, cast

import avro.io
import avro.schema
import pytest
from fastavro import (
    schemaless_reader,  # pyright: ignore[reportUnknownVariableType] - IO's parameter is open
    schemaless_writer,  # pyright: ignore[reportUnknownVariableType] - as above
)
from hypothesis import given
from hypothesis import strategies as st
from tests.support.records import any_record, same

from snowshed.schemas import Codec, ConfigurationError, JournalEntry, Record
from snowshed.schemas._decoding import reader
from snowshed.schemas._encoding import dumper
from snowshed.schemas._writing import flat_writer
from snowshed.schemas.catalogue import RECORD_TYPES, current_schema
from snowshed.schemas.codec import FRAME_BYTES

CODEC = Codec()
JOURNAL = JournalEntry(
    agent="timings",
    topic="t",
    partition=0,
    version=1,
    first_offset=0,
    next_offset=1,
    records=1,
    now=0.0,
    caught_up=True,
    detector_lag=0.0,
    dead_letters=0,
    emissions=0,
    digest=0,
)


def lists(value: object) -> Any:
    """The value as Avro libraries give it back: every sequence a list."""
    if isinstance(value, dict):
        return {key: lists(item) for key, item in cast("dict[str, object]", value).items()}
    return [lists(item) for item in cast("list[object]", value)] if isinstance(value, (list, tuple)) else value


def by_fastavro(record: Record) -> bytes:
    payload = io.BytesIO()
    schemaless_writer(payload, current_schema(type(record)).parsed, dumper(type(record))(record))
    return payload.getvalue()


def row(record: Record) -> Any:
    return lists(dumper(type(record))(record))


@given(any_record())
def test_the_codec_writes_the_bytes_that_fastavro_does(record: Record) -> None:
    assert CODEC.encode(record)[FRAME_BYTES:] == by_fastavro(record)


@given(st.integers(-(2**63), 2**63 - 1), st.text(max_size=3000))
def test_whole_numbers_and_texts_of_any_size_are_written_as_fastavro_does(number: int, text: str) -> None:
    record = replace(JOURNAL, first_offset=number, topic=text)
    assert CODEC.encode(record)[FRAME_BYTES:] == by_fastavro(record)


def test_what_the_flat_writer_cannot_write_is_left_to_fastavro() -> None:
    flat = {kind.__name__ for kind in RECORD_TYPES if flat_writer(json.loads(current_schema(kind).source))}
    assert {"EdgeHealth", "EdgeObservations", "NodeHealth", "JournalEntry"} <= flat
    assert not flat & {"Decision", "Incident", "TimingBatch"}
    with pytest.raises(ConfigurationError, match="JournalEntry cannot be encoded"):
        CODEC.encode(replace(JOURNAL, first_offset=2**63))


@given(any_record())
def test_apache_avro_reads_what_the_codec_writes(record: Record) -> None:
    schema = avro.schema.parse(current_schema(type(record)).source)
    payload = io.BytesIO(CODEC.encode(record)[FRAME_BYTES:])
    assert same(avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(payload)), row(record))
    assert payload.read() == b""


@given(any_record())
def test_the_codec_reads_what_apache_avro_writes(record: Record) -> None:
    schema = avro.schema.parse(current_schema(type(record)).source)
    payload = io.BytesIO()
    avro.io.DatumWriter(schema).write(row(record), avro.io.BinaryEncoder(payload))
    assert same(CODEC.decode(CODEC.encode(record)[:FRAME_BYTES] + payload.getvalue()), record)


@given(st.data(), any_record())
def test_damaged_bytes_that_are_still_a_record_are_the_same_record_to_fastavro(
    data: st.DataObject, record: Record
) -> None:
    schema = current_schema(type(record))
    payload = bytearray(CODEC.encode(record)[FRAME_BYTES:])
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    values: list[Any] = []
    try:
        end = reader(json.loads(schema.source), {})(bytes(payload), 0, values)
    except (ValueError, EOFError, IndexError, struct.error):
        return
    oracle = io.BytesIO(bytes(payload))
    assert same(lists(values[0]), schemaless_reader(oracle, schema.parsed, None))
    assert oracle.tell() == end
