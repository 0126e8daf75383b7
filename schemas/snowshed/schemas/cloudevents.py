"""CloudEvents 1.0 attributes as Kafka headers, in binary content mode (the value stays the framed record)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from snowshed.schemas.catalogue import RECORD_TYPES, current_schema
from snowshed.schemas.records import Record

__all__ = ["ORDER_SOURCE", "POLICY_SOURCE", "SEQUENCE", "event_id", "headers"]

SEQUENCE = "ce_sequence"
ORDER_SOURCE = "/snowshed/orders"
"""The source of operators' orders."""
POLICY_SOURCE = "/snowshed/policy"
"""The source of changes of the policy, which operators write."""

_VERSION = ("ce_specversion", b"1.0")
_CONTENT = ("content-type", b"application/avro")
_TYPES = {s.record: ("ce_type", f"{s.name}.v{s.version}".encode()) for s in map(current_schema, RECORD_TYPES)}


def headers(
    record: Record, *, event_id: str, source: str, time: float, sequence: int | None = None
) -> list[tuple[str, bytes]]:
    """The headers of a record.

    Args:
        record: what the value holds.
        event_id: unique within `source`.
        source: URI reference of who wrote it, such as `/snowshed/node/web-1`.
        time: when it happened.
        sequence: grows from one transaction of the source to the next (CloudEvents extension "sequence", whose values
            sort as text).
    """
    kind, *others = _shared(_TYPES[type(record)], source, time, sequence)
    return [_VERSION, kind, ("ce_id", event_id.encode()), *others]


def event_id(headers: Sequence[tuple[str, bytes | None]] | None) -> str:
    """The event id in a message's headers, empty if it has none."""
    for name, value in headers or ():
        if name == "ce_id" and value is not None:
            return value.decode(errors="replace")
    return ""


@lru_cache(maxsize=16)
def _shared(kind: tuple[str, bytes], source: str, time: float, sequence: int | None) -> tuple[tuple[str, bytes], ...]:
    """The headers that all records of a kind in a batch have in common: made once for thousands."""
    stamp = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    found = (kind, ("ce_source", source.encode()), ("ce_time", stamp.encode()), _CONTENT)
    return found if sequence is None else (*found, (SEQUENCE, b"%012d" % sequence))
