"""What a simulated fleet reports, and how that becomes a recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Record
from snowshed.schemas.topics import partition_for
from snowshed.streams.folding import Message
from snowshed.streams.replay import Recorded, write_recording

__all__ = ["Event", "record_scenario"]

_INPUTS = ("heartbeats", "timings", "markers", "observations")
_APPENDED_AFTER = 0.005
"""Seconds from sending to the broker's time stamp, in a recording that no broker made."""


@dataclass(frozen=True, slots=True)
class Event:
    """One record and when it is sent."""

    at: float
    """Seconds since the Unix epoch."""
    topic: str
    """Short topic name."""
    key: str
    record: Record


def record_scenario(path: Path, events: Iterable[Event], partitions: int, *, clear: bool = False) -> int:
    """Write events as a broker would keep them; the number of records written.

    Args:
        path: the recording; gzipped when its name ends in `.gz`.
        events: in the order of their times.
        partitions: partitions of each topic.
        clear: whether values are written for people and other tools to read.
    """
    return write_recording(path, dict.fromkeys(_INPUTS, partitions), _appended(events, partitions), clear=clear)


def _appended(events: Iterable[Event], partitions: int) -> Iterator[Recorded]:
    codec = Codec()
    ends: Counter[tuple[str, int]] = Counter()
    for event in events:
        key = event.key.encode()
        place = (event.topic, partition_for(key, partitions))
        yield Recorded(*place, Message(ends[place], event.at + _APPENDED_AFTER, key, codec.encode(event.record)))
        ends[place] += 1
