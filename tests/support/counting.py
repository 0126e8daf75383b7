"""A fold that makes any loss, repetition or reordering visible: a rolling checksum over each key's records."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

from snowshed.schemas.errors import SchemaMismatch
from snowshed.schemas.records import Notice
from snowshed.streams.folding import Batch, Decoded, Emission, Message, Reject, Step

__all__ = ["CountingFold", "Numbers", "Tally", "expected_ids", "notice", "notice_id", "payload"]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many records of a key were folded, and a checksum over their numbers in order."""

    count: int = 0
    checksum: int = 0

    def add(self, number: int) -> Tally:
        """With one more record."""
        return Tally(self.count + 1, zlib.crc32(b"%d:%d" % (self.checksum, number)))


def payload(number: int, *, poison: bool = False) -> bytes:
    """The bytes of one input record; a poisonous one makes the fold raise."""
    return json.dumps({"number": number, "poison": poison}).encode()


def expected_ids(numbers: Mapping[str, Sequence[int]]) -> set[str]:
    """The ids a correct run emits for these numbers by key, exactly once each."""
    ids: set[str] = set()
    for key, sequence in numbers.items():
        tally = Tally()
        for number in sequence:
            tally = tally.add(number)
            ids.add(notice_id(key, tally))
    return ids


def notice_id(key: str, tally: Tally) -> str:
    """The id of the notice that stands for a tally."""
    return f"{key}:{tally.count}:{tally.checksum}"


Numbers = tuple[tuple[str, int, bool], ...]


class CountingFold:
    """Emits one notice a record, whose id hangs on every earlier record of the key."""

    agent = "heartbeats"

    def decode(self, messages: Sequence[Message]) -> Decoded[Numbers]:
        """Numbers by key; anything that is not JSON is rejected."""
        found: list[tuple[str, int, bool]] = []
        rejects: list[Reject] = []
        for message in messages:
            try:
                data = json.loads(message.value or b"")
            except ValueError:
                rejects.append(Reject(message, SchemaMismatch("not JSON")))
            else:
                found.append(((message.key or b"").decode(), data["number"], data["poison"]))
        return Decoded(tuple(found), tuple(rejects))

    def step(self, state: Mapping[str, Tally], batch: Batch[Numbers]) -> Step[Tally]:
        """Count, and emit one notice a record."""
        changes: dict[str, Tally | None] = {}
        emissions: list[Emission] = []
        for key, number, poison in batch.records:
            if poison:
                raise ValueError(f"number {number} is poisonous")
            tally = (changes.get(key) or state.get(key) or Tally()).add(number)
            changes[key] = tally
            emissions.append(Emission("notices", key, notice(key, tally, batch.now), "count/1"))
        return Step(changes, tuple(emissions))

    def dump(self, value: Tally) -> bytes:
        """As JSON."""
        return json.dumps([value.count, value.checksum]).encode()

    def load(self, raw: bytes) -> Tally:
        """From JSON."""
        return Tally(*json.loads(raw))


def notice(key: str, tally: Tally, now: float) -> Notice:
    """The notice that stands for a tally."""
    return Notice(
        notice_id=notice_id(key, tally),
        incident_id=key,
        domain="test",
        severity="info",
        title="",
        text="",
        issued_at=now if now else nan,
    )
