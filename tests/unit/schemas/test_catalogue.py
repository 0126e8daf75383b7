"""The embedded catalogue's ids never change."""

from __future__ import annotations

import json

import avro.schema
import pytest

from snowshed.schemas import Heartbeat, Schema, UnknownSchema
from snowshed.schemas.catalogue import RECORD_TYPES, current_schema, embedded_catalogue

_RELEASED = {
    ("Heartbeat", 1): 1983337866,
    ("TimingBatch", 1): 1852668152,
    ("TimingBatch", 2): 635584270,
    ("Marker", 1): 1507076904,
    ("Marker", 2): 1293273143,
    ("Marker", 3): 1554954791,
    ("GroupProgress", 1): 1685482699,
    ("QuorumAnswers", 1): 887779816,
    ("QuorumAnswers", 2): 1690414875,
    ("QuorumAnswers", 3): 1284156629,
    ("NodeHealth", 1): 1678745837,
    ("NodeHealth", 2): 78941079,
    ("EdgeHealth", 1): 1876184194,
    ("EdgeObservations", 1): 574976952,
    ("EdgeObservations", 2): 1331252347,
    ("EdgeObservations", 3): 75196498,
    ("EdgeObservations", 4): 1721725035,
    ("Lag", 1): 531605035,
    ("Lag", 2): 1865036940,
    ("Lag", 3): 394542415,
    ("Incident", 1): 280078198,
    ("Incident", 2): 522683566,
    ("Incident", 3): 726079312,
    ("Incident", 4): 1372006793,
    ("ServiceHealth", 1): 1944155803,
    ("StatementHealth", 1): 186345915,
    ("Decision", 1): 239250811,
    ("Decision", 2): 526567381,
    ("Notice", 1): 1539315528,
    ("PolicyChange", 1): 1618070091,
    ("OperatorOrder", 1): 1444200968,
    ("NoticeDelivery", 1): 714358368,
    ("ActionState", 1): 1805000954,
    ("ActionOrder", 1): 1350995453,
    ("DeadLetter", 1): 1321212760,
    ("DeadLetter", 2): 944589179,
    ("JournalEntry", 1): 457979029,
}
"""Bytes with these ids lie on topics: a line may be added here, never changed or removed."""

_SCHEMAS = [schema for versions in embedded_catalogue().released.values() for schema in versions]


def test_the_ids_of_released_schemas_are_the_pinned_ones() -> None:
    assert {(schema.record.__name__, schema.version): schema.fixed_id for schema in _SCHEMAS} == _RELEASED


def test_no_two_released_schemas_share_an_id() -> None:
    assert len(set(_RELEASED.values())) == len(_RELEASED)


def test_ids_lie_far_above_those_a_registry_counts_up_from_one() -> None:
    assert min(_RELEASED.values()) > 2**24


@pytest.mark.parametrize("schema", _SCHEMAS, ids=lambda schema: f"{schema.name}.{schema.version}")
def test_an_id_is_the_low_31_bits_of_the_fingerprint_apache_avro_computes(schema: Schema) -> None:
    fingerprint: bytes = avro.schema.parse(schema.source).fingerprint("CRC-64-AVRO")
    assert int.from_bytes(fingerprint, "little") & 0x7FFFFFFF == schema.fixed_id


def test_every_id_leads_to_its_schema() -> None:
    assert [embedded_catalogue().schema(schema.fixed_id) for schema in _SCHEMAS] == _SCHEMAS


@pytest.mark.parametrize("record", RECORD_TYPES)
def test_records_are_written_with_their_newest_schema(record: type[Heartbeat]) -> None:
    assert embedded_catalogue().id_of(record) == current_schema(record).fixed_id


def test_an_unknown_id_is_named_in_the_error() -> None:
    with pytest.raises(UnknownSchema, match="schema id 42 "):
        embedded_catalogue().schema(42)


def test_prose_does_not_change_an_id() -> None:
    schema = current_schema(Heartbeat)
    reworded = {**json.loads(schema.source), "doc": "Other words."}
    assert Schema(Heartbeat, 1, json.dumps(reworded), None).fixed_id == schema.fixed_id
