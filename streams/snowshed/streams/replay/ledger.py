"""What the folded batches should have written, kept in a temporary file so that memory stays bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

__all__ = ["Expected", "Ledger", "Newest", "fingerprint"]

_CACHE_KIBIBYTES = 65_536
_KEY = "topic, topic_partition, key"


class Expected(NamedTuple):
    """One output of a folded batch."""

    event_id: str
    agent: str
    partition: int
    """The agent's partition."""
    version: int
    position: int
    """Among the batch's outputs."""
    at: float
    """Time of its batch."""
    topic: str
    """Short name."""
    topic_partition: int
    key: bytes
    fingerprint: bytes
    """Of key, value and headers."""
    cut: bytes | None
    """The same of a dead letter that was cut to what its topic takes; None for anything else."""
    refused: bool
    """Whether it is the letter of a record whose outputs the broker refused."""


class Newest(NamedTuple):
    """The last batch that wrote a key, for a topic that is compacted."""

    at: float
    version: int
    position: int


class Ledger:
    """Expected outputs by their ids; found ones are ticked off.

    The file is SQLite's own temporary one, removed by the system as soon as it is closed.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}",
            f"CREATE TABLE expected ({', '.join(Expected._fields)}, found, PRIMARY KEY (event_id)) WITHOUT ROWID",
            f"CREATE TABLE newest ({_KEY}, {', '.join(Newest._fields)}, PRIMARY KEY ({_KEY})) WITHOUT ROWID",
        ):
            self._database.execute(statement)

    def close(self) -> None:
        """Remove the file."""
        self._database.close()

    def expect(self, outputs: Iterable[Expected]) -> None:
        """Take note of what a batch should have written."""
        self._database.executemany("INSERT OR REPLACE INTO expected VALUES (?,?,?,?,?,?,?,?,?,?,?,?,0)", outputs)

    def find(self, event_id: str) -> tuple[Expected, bool] | None:
        """The output with this id, and whether it has been found before."""
        row = self._database.execute("SELECT * FROM expected WHERE event_id = ?", (event_id,)).fetchone()
        return None if row is None else (_expected(row), bool(row[-1]))

    def tick_off(self, event_id: str) -> None:
        """Note that the output with this id was found."""
        self._database.execute("UPDATE expected SET found = 1 WHERE event_id = ?", (event_id,))

    def missing(self) -> Iterator[Expected]:
        """What was not found, in the order of time."""
        rows = self._database.execute("SELECT * FROM expected WHERE NOT found ORDER BY at, version, position")
        return map(_expected, rows)

    def note_newest(self, topic: str, topic_partition: int, key: bytes, newest: Newest) -> None:
        """Note that a key was written, in log order."""
        self._database.execute(
            "INSERT OR REPLACE INTO newest VALUES (?,?,?,?,?,?)", (topic, topic_partition, key, *newest)
        )

    def newest(self, output: Expected) -> Newest | None:
        """What wrote the output's key last."""
        row = self._database.execute(
            "SELECT at, version, position FROM newest WHERE topic = ? AND topic_partition = ? AND key = ?",
            (output.topic, output.topic_partition, output.key),
        ).fetchone()
        return None if row is None else Newest(*row)


def fingerprint(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, str | bytes | None]]) -> bytes:
    """A digest that differs whenever a byte of key, value or headers does."""
    parts = [key, value]
    for name, content in headers:
        parts += (name.encode(), content.encode() if isinstance(content, str) else content)
    lengths = [-1 if part is None else len(part) for part in parts]
    return blake2b(b"".join([repr(lengths).encode(), *filter(None, parts)]), digest_size=16).digest()


def _expected(row: tuple[Any, ...]) -> Expected:
    return Expected._make(row[:-1])
