"""Records to bytes and back: Avro behind a Confluent frame (magic byte 0, schema id in four bytes, big-endian)."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

from fastavro import (
    schemaless_reader,  # pyright: ignore[reportUnknownVariableType] - fastavro leaves IO's parameter open
    schemaless_writer,  # pyright: ignore[reportUnknownVariableType] - as above
)
from fastavro.read import SchemaResolutionError

from snowshed.schemas._decoding import Read, named_types, reader
from snowshed.schemas._encoding import Convert, dumper
from snowshed.schemas._writing import UNFIT, flat_writer
from snowshed.schemas.catalogue import RECORD_TYPES, Catalogue, Schema, current_schema, embedded_catalogue
from snowshed.schemas.errors import ConfigurationError, NotOurs, SchemaMismatch, Truncated, UnknownSchema
from snowshed.schemas.records import Record
from snowshed.schemas.registry import RegistryCatalogue

__all__ = ["FRAME_BYTES", "Codec"]

FRAME_BYTES = 5
"""Length of the frame in front of every payload."""

_FRAME = struct.Struct(">BI")
_MAGIC = 0


class _Writer(NamedTuple):
    frame: bytes
    schema: Any
    dump: Convert
    flat: Callable[[Any], bytes] | None
    """Writes the payload of flat records."""


class Codec:
    """Encodes and decodes records with the schemas of one catalogue; safe to use from several threads."""

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self._catalogue = embedded_catalogue() if catalogue is None else catalogue
        self._writers: dict[type[Record], _Writer] = {}
        self._readers: dict[int, Callable[[bytes], Record]] = {}

    @classmethod
    def from_settings(cls, registry_url: str | None) -> Codec:
        """A codec on a schema registry, or on the embedded catalogue without one."""
        return cls(RegistryCatalogue(registry_url) if registry_url else None)

    def encode(self, record: Record) -> bytes:
        """The framed bytes of a record.

        Raises:
            ConfigurationError: a field's value does not fit its schema.
            ServerUnavailable: a schema registry had to be asked and does not answer.
        """
        writer = self._writers.get(type(record)) or self._make_writer(type(record))
        if writer.flat is not None:
            try:
                return writer.frame + writer.flat(record)
            except UNFIT:
                pass  # fastavro says what is wrong with it
        buffer = BytesIO()
        buffer.write(writer.frame)
        try:
            schemaless_writer(buffer, writer.schema, writer.dump(record))
        except (TypeError, ValueError, OverflowError, AttributeError) as error:
            raise ConfigurationError(f"{type(record).__name__} cannot be encoded: {error}; check {record!r}") from error
        return buffer.getvalue()

    def decode(self, raw: bytes | None) -> Record:
        """The record in framed bytes, whichever released schema wrote it.

        Raises:
            NotOurs: there is no frame.
            UnknownSchema: the frame's schema is not in the catalogue.
            Truncated: the bytes end too early.
            SchemaMismatch: the bytes break the schema, or some are left over.
            ServerUnavailable: a schema registry had to be asked and does not answer.
        """
        if not raw:
            raise NotOurs("the value is empty")
        if raw[0] != _MAGIC:
            raise NotOurs(f"the value starts with byte 0x{raw[0]:02x}, not with a Confluent frame's 0x00")
        if len(raw) < FRAME_BYTES:
            raise Truncated(f"the frame has {len(raw)} of {FRAME_BYTES} bytes")
        schema_id = int.from_bytes(raw[1:FRAME_BYTES], "big")
        read = self._readers.get(schema_id) or self._make_reader(schema_id)
        return read(raw)

    def _make_writer(self, kind: type[Record]) -> _Writer:
        if kind not in RECORD_TYPES:
            raise ConfigurationError(f"{kind.__name__} is not a record that travels by itself")
        frame = _FRAME.pack(_MAGIC, self._catalogue.id_of(kind))
        schema = current_schema(kind)
        flat = flat_writer(json.loads(schema.source))
        return self._writers.setdefault(kind, _Writer(frame, schema.parsed, dumper(kind), flat))

    def _make_reader(self, schema_id: int) -> Callable[[bytes], Record]:
        written = self._catalogue.schema(schema_id)
        wanted = current_schema(written.record)
        same = written.fixed_id == wanted.fixed_id
        return self._readers.setdefault(schema_id, _reader(wanted) if same else _translator(written, wanted))


def _reader(schema: Schema) -> Callable[[bytes], Any]:
    """Reads what was written with the current schema of a record."""
    read = reader(json.loads(schema.source), named_types(schema.record))
    return lambda raw: _whole(read, raw, schema.name)


def _translator(written: Schema, wanted: Schema) -> Callable[[bytes], Any]:
    """Reads what was written with another version of a record's schema: the old bytes are checked, then rewritten."""
    try:
        check = reader(json.loads(written.source), {})
    except NotImplementedError as error:
        raise UnknownSchema(f"{written.name} was written by a newer release, with {error}: upgrade Snowshed") from None
    read = _reader(wanted)

    def translate(raw: bytes) -> Any:
        _whole(check, raw, written.name)
        rewritten = BytesIO()
        rewritten.write(raw[:FRAME_BYTES])
        try:
            row = schemaless_reader(BytesIO(raw[FRAME_BYTES:]), written.parsed, wanted.parsed)
            schemaless_writer(rewritten, wanted.parsed, row)
        except (SchemaResolutionError, ValueError, TypeError) as error:
            raise SchemaMismatch(f"{written.name}: cannot be read as version {wanted.version}: {error}") from error
        return read(rewritten.getvalue())

    return translate


def _whole(read: Read, raw: bytes, name: str) -> Any:
    values: list[Any] = []
    try:
        end = read(raw, FRAME_BYTES, values)
    except (EOFError, IndexError, struct.error):
        raise Truncated(f"{name}: the {len(raw)} bytes end inside a field") from None
    except ValueError as error:
        raise SchemaMismatch(f"{name}: {error}") from None
    if end != len(raw):
        raise SchemaMismatch(f"{name}: {len(raw) - end} bytes are left over after the record")
    return values[0]
