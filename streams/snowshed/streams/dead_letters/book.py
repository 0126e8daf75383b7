"""What stands on the dead letters' topic: letters, and marks that say which were retried.

A mark is a record without a value on the partition of its letter, with the letter's key and two headers: when the
record was put back, and where. It is written in the transaction that puts the record back. A mark counts for the letter
of its key that stands before it, so that after an input was deleted and created again, and its offsets begin anew, a
letter of the same key is a new one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ConfigurationError, DecodeError, SchemaMismatch
from snowshed.schemas.records import DeadLetter, Record

__all__ = ["LETTER", "Book", "Entry", "Filter", "Stood", "grouped", "mark_headers", "moment"]

LETTER = "snowshed-dead-letter"
"""Header of a record that was put back: the letter's id."""
_RETRIED_AT = "snowshed-retried-at"
_RETRIED_TO = "snowshed-retried-to"

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhd])")

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Stood:
    """One record as it stands on the dead letters' topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Entry:
    """A letter without its record's bytes."""

    id: str
    """Topic, partition and offset of its record, joined by hyphens."""
    partition: int
    """Partition of the letter itself."""
    offset: int
    """Offset of the letter itself."""
    topic: str
    """Full name of the topic that the record came from."""
    rejected_at: float
    error: str
    reason: str
    size: int
    """Bytes of the record's value."""
    cut: bool
    """Whether the letter holds only the beginning of its record."""
    retried_at: float | None = None
    retried_to: str = ""
    """Where the record was put, as `topic[partition]`."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant."""

    topic: str | None = None
    """Short or full name of the topic that the record came from."""
    error: str | None = None
    """Class of the error."""
    since: float | None = None
    """Seconds since the Unix epoch."""

    def matches(self, entry: Entry) -> bool:
        """Whether a letter is meant."""
        return (
            (self.topic is None or entry.topic == self.topic or entry.topic.endswith(f".{self.topic}"))
            and (self.error is None or entry.error.casefold() == self.error.casefold())
            and (self.since is None or entry.rejected_at >= self.since)
        )


class Book:
    """All letters that stand on the topic.

    Args:
        codec: reads letters.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._entries: dict[str, Entry] = {}
        self.foreign = 0
        """Records that are neither letters nor marks."""

    def add(self, record: Stood) -> None:
        """Take one record; those of a partition must come in their order."""
        identity = (record.key or b"").decode(errors="replace")
        try:
            if record.value is None:
                self._mark(identity, dict(record.headers))
            else:
                self._entries[identity] = _entry(identity, record, _letter(self._codec.decode(record.value)))
        except (DecodeError, ValueError):
            self.foreign += 1

    def _mark(self, identity: str, headers: Mapping[str, bytes | None]) -> None:
        at, put = float(headers.get(_RETRIED_AT) or b""), (headers.get(_RETRIED_TO) or b"").decode()
        if (entry := self._entries.get(identity)) is not None:
            self._entries[identity] = replace(entry, retried_at=at, retried_to=put)

    def named(self, identity: str) -> Entry:
        """The letter with this id.

        Raises:
            ConfigurationError: there is none.
        """
        if (entry := self._entries.get(identity)) is None:
            newest = ", ".join(entry.id for entry in self.matching(Filter())[-3:]) or "none"
            raise ConfigurationError(
                f"there is no letter {identity!r}, or it has expired: `snowshed dead-letters list --all` shows all; "
                f"the newest are: {newest}"
            )
        return entry

    def matching(self, wanted: Filter) -> list[Entry]:
        """The letters that are meant, newest last."""
        found = (entry for entry in self._entries.values() if wanted.matches(entry))
        return sorted(found, key=lambda entry: (entry.rejected_at, entry.id))

    def chosen(self, identities: Sequence[str], wanted: Filter, *, again: bool) -> list[Entry]:
        """The letters to retry: those with these ids, or without ids all that are meant and were not retried.

        Args:
            identities: ids.
            wanted: what is meant where there are no ids.
            again: whether those that were retried are meant too.

        Raises:
            ConfigurationError: there is no letter with one of the ids.
        """
        if identities:
            return [self.named(identity) for identity in dict.fromkeys(identities)]
        return [entry for entry in self.matching(wanted) if again or entry.retried_at is None]


def mark_headers(now: float, put: str) -> list[tuple[str, str | bytes | None]]:
    """The headers of a mark: the record of its letter was put to `put` at `now`."""
    return [(_RETRIED_AT, repr(now).encode()), (_RETRIED_TO, put.encode())]


def moment(text: str, now: float) -> float:
    """A time given as how long ago (`90s`, `30m`, `2h`, `7d`) or as an ISO date or time, UTC unless it says otherwise.

    Raises:
        ConfigurationError: it is neither.
    """
    if ago := _AGO.fullmatch(text):
        return now - float(ago[1]) * _SECONDS[ago[2]]
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is no time: give how long ago (90s, 30m, 2h, 7d) or a date such as 2026-01-31T08:00"
        ) from None
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()


def _letter(record: Record) -> DeadLetter:
    if not isinstance(record, DeadLetter):
        raise SchemaMismatch(f"a {type(record).__name__} stands among the dead letters")
    return record


def _entry(identity: str, record: Stood, letter: DeadLetter) -> Entry:
    return Entry(
        id=identity,
        partition=record.partition,
        offset=record.offset,
        topic=letter.topic,
        rejected_at=letter.rejected_at,
        error=letter.error,
        reason=letter.reason,
        size=max(letter.value_size, len(letter.value or b"")),
        cut=letter.cut,
    )


def grouped(entries: Iterable[Entry], *, count: int, size: int) -> list[list[Entry]]:
    """Entries in runs of at most `count`, and of at most `size` bytes where a run has more than one."""
    groups: list[list[Entry]] = []
    room = 0
    for entry in entries:
        if not groups or len(groups[-1]) == count or entry.size > room:
            groups.append([])
            room = size
        groups[-1].append(entry)
        room -= entry.size
    return groups
