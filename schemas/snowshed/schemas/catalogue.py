"""The schemas records are written with, by id: every released version travels inside the package.

To change a record: change its dataclass and its file in `avro/`, copy that file to the next number in `avro/history/`,
and pin the id it gets in the catalogue's test. A new field needs a default so that older records stay readable; NaN is
no JSON, so a number that older writers did not send is nullable or starts from a number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Protocol, get_args

from fastavro import parse_schema
from fastavro.schema import fingerprint, to_parsing_canonical_form

from snowshed.schemas.errors import UnknownSchema
from snowshed.schemas.records import Record

__all__ = [
    "RECORD_TYPES",
    "Catalogue",
    "EmbeddedCatalogue",
    "Schema",
    "current_schema",
    "embedded_catalogue",
    "full_name",
]

RECORD_TYPES: tuple[type[Record], ...] = get_args(Record)
"""The class of every record that is a message of its own."""

_HISTORY = resources.files("snowshed.schemas") / "avro" / "history"
_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Schema:
    """One version of one record's Avro schema."""

    record: type[Record]
    version: int
    source: str
    """The schema as JSON text."""
    parsed: Any = field(repr=False, compare=False)
    """What fastavro made of it."""

    @property
    def name(self) -> str:
        """The record's full name in Avro."""
        return full_name(self.record)

    @property
    def fixed_id(self) -> int:
        """The id in the embedded catalogue: the low 31 bits of the schema's CRC-64-AVRO fingerprint."""
        digest = fingerprint(to_parsing_canonical_form(json.loads(self.source)), "CRC-64-AVRO")
        return int.from_bytes(bytes.fromhex(digest), "little") & 0x7FFFFFFF


class Catalogue(Protocol):
    """Gives schemas their ids on the wire; safe to use from several threads."""

    def id_of(self, record: type[Record]) -> int:
        """The id that records of this class are written with now."""
        ...

    def schema(self, schema_id: int) -> Schema:
        """The schema behind an id; raises `UnknownSchema`."""
        ...


class EmbeddedCatalogue:
    """Every released schema, with ids fixed by fingerprint: needs no server and never changes its mind."""

    def __init__(self) -> None:
        self.released: Mapping[type[Record], tuple[Schema, ...]] = {kind: _released(kind) for kind in RECORD_TYPES}
        """Every version of each record's schema, oldest first."""
        self._schemas = {schema.fixed_id: schema for versions in self.released.values() for schema in versions}
        self._ids = {kind: versions[-1].fixed_id for kind, versions in self.released.items()}

    def id_of(self, record: type[Record]) -> int:
        """The id that records of this class are written with."""
        return self._ids[record]

    def schema(self, schema_id: int) -> Schema:
        """The released schema with this id; raises `UnknownSchema`."""
        try:
            return self._schemas[schema_id]
        except KeyError:
            raise UnknownSchema(f"schema id {schema_id} is none of Snowshed's released schemas") from None

    def __contains__(self, schema_id: int) -> bool:
        return schema_id in self._schemas


@cache
def embedded_catalogue() -> EmbeddedCatalogue:
    """The one embedded catalogue of this process."""
    return EmbeddedCatalogue()


def current_schema(record: type[Record]) -> Schema:
    """The schema that records of this class are written with: the newest released one."""
    return embedded_catalogue().released[record][-1]


def full_name(record: type[Record]) -> str:
    """A record's full name in Avro, which is also its subject in a schema registry."""
    return f"snowshed.{record.__name__}"


def _released(record: type[Record]) -> tuple[Schema, ...]:
    folder = _HISTORY / _WORD_START.sub("_", record.__name__).lower()
    versions = sorted(int(file.name.removesuffix(".avsc")) for file in folder.iterdir())
    return tuple(_load(record, version, (folder / f"{version}.avsc").read_text("utf-8")) for version in versions)


def _load(record: type[Record], version: int, source: str) -> Schema:
    return Schema(record, version, source, parse_schema(json.loads(source), {}))
