"""Records written with other versions of a schema are read as the current one."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from fastavro import (
    parse_schema,
    schemaless_writer,  # pyright: ignore[reportUnknownVariableType] - IO's parameter is open
)

from snowshed.schemas import (
    Codec,
    Consistency,
    ConsistencyMode,
    Decision,
    DecisionKind,
    Record,
    Schema,
    SchemaMismatch,
    ScopeKind,
    Truncated,
    UnknownSchema,
)
from snowshed.schemas._encoding import dumper
from snowshed.schemas.catalogue import current_schema, embedded_catalogue

_OTHER_ID = 7
_DECISION = Decision(
    decision_id="d1",
    domain="shop",
    scope="orders",
    scope_kind=ScopeKind.DATASET,
    kind=DecisionKind.CONSISTENCY,
    active=True,
    epoch=1,
    seq=2,
    issued_at=3.0,
    ttl=10.0,
    consistency=Consistency(mode=ConsistencyMode.PREFER, prefer=("r1", "r2")),
    reason="r3 is stale",
    confidence=0.9,
)


class OneOther:
    """The embedded catalogue and one schema more."""

    def __init__(self, schema: Schema) -> None:
        self._other = schema

    def id_of(self, record: type[Record]) -> int:
        return embedded_catalogue().id_of(record)

    def schema(self, schema_id: int) -> Schema:
        return self._other if schema_id == _OTHER_ID else embedded_catalogue().schema(schema_id)


def other(fields: list[dict[str, Any]]) -> Schema:
    """A version of Decision with these fields."""
    source = {**json.loads(current_schema(Decision).source), "fields": fields}
    return Schema(Decision, 0, json.dumps(source), parse_schema(source, {}))


def fields() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(current_schema(Decision).source)["fields"]
    return found


def written(schema: Schema, **extra: Any) -> bytes:
    """`_DECISION` in the bytes of another version."""
    buffer = io.BytesIO()
    buffer.write(b"\x00" + _OTHER_ID.to_bytes(4, "big"))
    schemaless_writer(buffer, schema.parsed, dumper(Decision)(_DECISION) | extra)
    return buffer.getvalue()


def test_a_field_the_writer_did_not_know_takes_its_default() -> None:
    older = other([field for field in fields() if field["name"] != "degrade_level"])
    assert Codec(OneOther(older)).decode(written(older)) == _DECISION


def test_a_field_only_the_writer_knew_is_left_out() -> None:
    newer = other([{"name": "extra", "type": "string"}, *fields()])
    assert Codec(OneOther(newer)).decode(written(newer, extra="news")) == _DECISION


def test_fields_in_another_order_find_their_places() -> None:
    shuffled = other(fields()[::-1])
    assert Codec(OneOther(shuffled)).decode(written(shuffled)) == _DECISION


def test_a_choice_that_did_not_exist_yet_is_a_mismatch() -> None:
    grown = fields()
    grown[4]["type"]["symbols"].append("reboot")
    newer = other(grown)
    with pytest.raises(SchemaMismatch, match="reboot"):
        Codec(OneOther(newer)).decode(written(newer, kind="reboot"))


def test_bytes_of_another_version_are_checked_as_strictly() -> None:
    older = other([field for field in fields() if field["name"] != "degrade_level"])
    codec, raw = Codec(OneOther(older)), written(older)
    with pytest.raises(SchemaMismatch, match="1 bytes are left over"):
        codec.decode(raw + b"\x00")
    with pytest.raises(Truncated):
        codec.decode(raw[:-1])


def test_an_avro_type_of_a_later_release_asks_for_an_upgrade() -> None:
    newer = other([*fields(), {"name": "labels", "type": {"type": "map", "values": "string"}}])
    with pytest.raises(UnknownSchema, match="'map': upgrade"):
        Codec(OneOther(newer)).decode(written(newer, labels={}))


@pytest.mark.timeout(5)
def test_items_that_take_no_bytes_cannot_be_claimed_without_end() -> None:
    newer = other([*fields(), {"name": "blanks", "type": {"type": "array", "items": "null"}}])
    count = b"\xfe" + b"\xff" * 6 + b"\x01"
    with pytest.raises(Truncated):
        Codec(OneOther(newer)).decode(written(newer, blanks=[])[:-1] + count + b"\x00")


def test_a_type_that_avro_promotes_is_promoted() -> None:
    older = fields()
    (reason,) = (field for field in older if field["name"] == "reason")
    reason["type"] = "bytes"
    schema = other(older)
    assert Codec(OneOther(schema)).decode(written(schema, reason=b"r3 is stale")) == _DECISION
