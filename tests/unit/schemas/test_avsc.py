"""The .avsc files say the same as the dataclasses, and no change of one slips past its history."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import resources
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from snowshed.schemas.catalogue import RECORD_TYPES, embedded_catalogue
from snowshed.schemas.records import EdgeObservations, Heartbeat, TimingBatch

Json = str | list[Any] | dict[str, Any]

_FOLDER = resources.files("snowshed.schemas") / "avro"
_FILES = {json.loads(file.read_text())["name"]: file for file in _FOLDER.iterdir() if file.name.endswith(".avsc")}
_PRIMITIVES: dict[Any, str] = {str: "string", bytes: "bytes", int: "long", float: "double", bool: "boolean"}


def _schema(record: type[Any]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(_FILES[record.__name__].read_text("utf-8"))
    return parsed


def _shape(schema: Json, without: set[str]) -> Any:
    """A schema without its prose, and whatever else does not matter."""
    if isinstance(schema, dict):
        return {key: _shape(value, without) for key, value in schema.items() if key not in without}
    return [_shape(item, without) for item in schema] if isinstance(schema, list) else schema


def _expected(hint: Any, *, columnar: bool) -> Any:
    """The Avro type that a field of this Python type must have."""
    arguments = get_args(hint)
    if get_origin(hint) is tuple:
        number = columnar and arguments[0] is float
        return {"type": "array", "items": "float" if number else _expected(arguments[0], columnar=columnar)}
    if NoneType in arguments:
        return ["null", _expected(arguments[0], columnar=columnar)]
    if is_dataclass(hint):
        return _record(hint)
    if issubclass(hint, Enum):
        return {"type": "enum", "name": hint.__name__, "symbols": [member.value for member in hint]}
    return _PRIMITIVES[hint]


def _record(record: Any) -> dict[str, Any]:
    hints = get_type_hints(record)
    columnar = record in {TimingBatch, EdgeObservations}
    rows = [{"name": f.name, "type": _expected(hints[f.name], columnar=columnar)} for f in fields(record)]
    return {"type": "record", "name": record.__name__, "fields": rows}


def _undocumented(schema: Json | None) -> list[str]:
    if isinstance(schema, list):
        return [name for branch in schema for name in _undocumented(branch)]
    if not isinstance(schema, dict):
        return []
    own: list[str] = [schema["name"]] if "name" in schema and not schema.get("doc", "").strip() else []
    return own + [name for key in ("fields", "type", "items") for name in _undocumented(schema.get(key))]


@pytest.mark.parametrize("record", RECORD_TYPES)
def test_a_schema_has_the_fields_of_its_dataclass_in_their_order_with_their_types(record: type[Any]) -> None:
    schema = _schema(record)
    assert schema.pop("namespace") == "snowshed"
    assert _shape(schema, {"doc", "default"}) == _record(record)


@pytest.mark.parametrize("record", RECORD_TYPES)
def test_what_may_be_missing_is_missing_unless_the_writer_says_otherwise(record: type[Any]) -> None:
    nullable = [field for field in _schema(record)["fields"] if isinstance(field["type"], list)]
    assert [field["name"] for field in nullable if field.get("default", "none") is not None] == []


@pytest.mark.parametrize("record", RECORD_TYPES)
def test_every_field_and_every_type_of_a_schema_is_documented(record: type[Any]) -> None:
    assert _undocumented(_schema(record)) == []


def test_there_is_one_file_for_each_record_and_no_other() -> None:
    assert set(_FILES) == {record.__name__ for record in RECORD_TYPES}


@pytest.mark.parametrize("record", RECORD_TYPES)
def test_a_current_schema_is_its_newest_released_version(record: type[Any]) -> None:
    """A change of an .avsc file needs a copy in history, as the next version, or old bytes become unreadable."""
    newest = embedded_catalogue().released[record][-1]
    assert _shape(_schema(record), {"doc"}) == _shape(json.loads(newest.source), {"doc"})


@pytest.mark.parametrize("record", RECORD_TYPES)
def test_released_versions_are_numbered_from_one_without_gaps(record: type[Any]) -> None:
    versions = [schema.version for schema in embedded_catalogue().released[record]]
    assert versions == list(range(1, len(versions) + 1))


def test_a_heartbeat_is_strings_and_a_status_followed_by_nothing_but_doubles() -> None:
    """Readers of many heartbeats take all numbers of one at once from the end of its bytes."""
    types = [field["type"] for field in _schema(Heartbeat)["fields"]]
    numbers = types.index("double")
    assert set(types[numbers:]) == {"double"}
    assert set(map(str, types[: numbers - 1])) == {"string"}
