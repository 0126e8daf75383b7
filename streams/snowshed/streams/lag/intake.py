"""What may stand on the markers topic, checked before it is folded."""

from __future__ import annotations

from math import isfinite

from snowshed.schemas.errors import SchemaMismatch
from snowshed.schemas.records import GroupProgress, Marker, QuorumAnswers, Record

__all__ = ["MarkerRecord", "checked"]

MarkerRecord = Marker | GroupProgress | QuorumAnswers

_FINITE: dict[type[Record], tuple[str, ...]] = {
    Marker: ("version", "written_at", "seen_at", "sent_at", "monotonic", "row_period", "poll_period", "lost"),
    GroupProgress: ("asked", "answered", "period", "partitions", "lag"),
    QuorumAnswers: ("asked_at", "period"),
}


def checked(record: Record) -> MarkerRecord:
    """The record, if it can be folded.

    Raises:
        SchemaMismatch: it belongs elsewhere, a number that is needed is not finite, or columns differ in length.
    """
    if not isinstance(record, Marker | GroupProgress | QuorumAnswers):
        raise SchemaMismatch(f"a {type(record).__name__} stands where markers belong")
    for name in _FINITE[type(record)]:
        if not isfinite(getattr(record, name)):
            raise SchemaMismatch(f"{_named(record)}: {name} must be finite")
    if len({len(column) for column in _columns(record)}) > 1:
        raise SchemaMismatch(f"{_named(record)}: its columns must be of one length")
    if isinstance(record, GroupProgress) and not all(map(isfinite, record.committed + record.end)):
        raise SchemaMismatch(f"{_named(record)}: offsets must be finite")
    return record


def _named(record: MarkerRecord) -> str:
    match record:
        case Marker():
            return f"marker of {record.dataset}/{record.replica}"
        case GroupProgress():
            return f"look at group {record.group} of {record.dataset}"
        case QuorumAnswers():
            return f"answers of {record.dataset}"


def _columns(record: MarkerRecord) -> tuple[tuple[object, ...], ...]:
    match record:
        case Marker():
            return ()
        case GroupProgress():
            return record.place, record.committed, record.end, record.owned
        case QuorumAnswers():
            later = (column for column in (record.term, record.behind, record.unheard) if column)
            return record.member, record.role, record.in_sync, record.pending, *later
