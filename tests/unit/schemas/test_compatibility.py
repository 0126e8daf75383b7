"""A schema may change only so that every older record stays readable (BACKWARD_TRANSITIVE)."""

from __future__ import annotations

import json
from itertools import combinations_with_replacement
from typing import Any

import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from snowshed.schemas.catalogue import Schema, embedded_catalogue

_PAIRS = [
    (old, new)
    for versions in embedded_catalogue().released.values()
    for old, new in combinations_with_replacement(versions, 2)
]
_FIRST = json.loads(next(iter(embedded_catalogue().released.values()))[0].source)


def readable(writer: str, reader: str) -> bool:
    """Whether everything written with one schema can be read with the other."""
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # avro says nothing of it
    verdict = checker.get_compatibility(avro.schema.parse(reader), avro.schema.parse(writer))
    return bool(verdict.compatibility == SchemaCompatibilityType.compatible)


@pytest.mark.parametrize(("old", "new"), _PAIRS, ids=lambda schema: f"{schema.name}.{schema.version}")
def test_every_version_reads_every_older_one(old: Schema, new: Schema) -> None:
    assert readable(old.source, new.source)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"name": "extra", "type": ["null", "double"], "default": None}, True),
        ({"name": "extra", "type": "double"}, False),
    ],
)
def test_only_a_new_field_with_a_default_keeps_old_records_readable(field: dict[str, Any], expected: bool) -> None:
    changed = {**_FIRST, "fields": [*_FIRST["fields"], field]}
    assert readable(json.dumps(_FIRST), json.dumps(changed)) is expected
