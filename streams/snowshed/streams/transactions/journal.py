"""What a lane writes about its own progress: the applied-up-to mark in its state topic and its journal."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from snowshed.schemas.records import JournalEntry
from snowshed.streams.folding import Batch

__all__ = ["APPLIED_KEY", "Applied", "digest", "entry"]

APPLIED_KEY = b"\x00applied"
"""Key of the mark in the state topic; no state key starts with a zero byte."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How far a lane's state has come: it must equal the group's committed offset, or the state is not its own."""

    next_offset: int = 0
    version: int = 0
    now: float = 0.0

    def dump(self) -> bytes:
        """The mark as JSON."""
        return orjson.dumps(self)

    @classmethod
    def load(cls, raw: bytes) -> Applied:
        """Read a mark that `dump` wrote."""
        return cls(**orjson.loads(raw))


def digest(outputs: Iterable[tuple[bytes, bytes | None]]) -> int:
    """CRC-32 over the keys and values of a batch's outputs, in order."""
    crc = 0
    for key, value in outputs:
        crc = zlib.crc32(value or b"", zlib.crc32(key, crc))
    return crc


def entry(
    agent: str, topic: str, batch: Batch[object], *, records: int, dead_letters: int, emissions: int, crc: int
) -> JournalEntry:
    """The journal's record of one committed batch."""
    return JournalEntry(
        agent=agent,
        topic=topic,
        partition=batch.partition,
        version=batch.version,
        first_offset=batch.first_offset,
        next_offset=batch.next_offset,
        records=records,
        now=batch.now,
        caught_up=batch.caught_up,
        detector_lag=batch.detector_lag,
        dead_letters=dead_letters,
        emissions=emissions,
        digest=crc,
    )
