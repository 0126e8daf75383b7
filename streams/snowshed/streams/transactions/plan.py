"""What a lane writes for a batch, worked out without touching Kafka."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from snowshed.schemas.cloudevents import headers
from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import DecodeError
from snowshed.schemas.identity import decision_id
from snowshed.schemas.records import DeadLetter, Record
from snowshed.schemas.topics import Topics
from snowshed.streams.folding import Batch, Emission, Fold, Message, Step
from snowshed.streams.transactions.checkpoint import CheckpointMark, overlaid
from snowshed.streams.transactions.journal import APPLIED_KEY, Applied, digest, entry
from snowshed.streams.transactions.letters import bounded
from snowshed.streams.transactions.producer import Write

__all__ = ["Plan", "Planner", "dead_letter", "origin"]

_REASON_LENGTH = 4_000
"""Characters of a reason: an error's text may quote the record that caused it."""

_EMPTY_HEADERS: list[tuple[str, str | bytes | None]] = []


@dataclass(frozen=True, slots=True)
class Plan:
    """The writes of one transaction."""

    outputs: tuple[Write, ...]
    bookkeeping: tuple[Write, ...]
    """State changes, the journal entry and the applied-up-to mark."""
    applied: Applied
    checkpoint: Iterator[Write] = field(default_factory=lambda: iter(()))
    """The whole state after the batch, where a checkpoint is due: serialised key by key while it is taken."""

    @property
    def writes(self) -> Iterator[Write]:
        """Everything, outputs first; to be taken once."""
        return chain(self.outputs, self.bookkeeping, self.checkpoint)


class Planner:
    """Turns steps into writes for one lane.

    Args:
        fold: the lane's fold; its agent name addresses state and journal topics.
        topics: full topic names.
        codec: encodes records.
        source: full name of the input topic.
        partition: the lane's partition, also of its state and journal.
    """

    def __init__(self, fold: Fold[Any, Any], topics: Topics, codec: Codec, source: str, partition: int) -> None:
        self._fold, self._topics, self._codec = fold, topics, codec
        self._source, self._partition = source, partition
        self._state_topic = topics.full(f"state.{fold.agent}")
        self._journal_topic = topics.full(f"journal.{fold.agent}")
        self._checkpoint_topic = topics.full(f"checkpoint.{fold.agent}")
        self._origin = origin(fold.agent, partition)

    def plan(
        self,
        batch: Batch[Any],
        step: Step[Any],
        letters: Sequence[DeadLetter],
        records: int,
        *,
        checkpoint: Mapping[str, Any] | None = None,
    ) -> Plan:
        """The transaction for one batch, its step and its dead letters.

        Args:
            batch: what was folded.
            step: what it came to.
            letters: its records that could not be used.
            records: how many records it had.
            checkpoint: the state before the batch, where a checkpoint of the state after it is due.
        """
        emissions = [*step.emissions, *(_letter_emission(letter) for letter in letters)]
        outputs = tuple(self._output(batch, index, emission) for index, emission in enumerate(emissions))
        applied = Applied(batch.next_offset, batch.version, batch.now)
        journal = entry(
            self._fold.agent,
            self._source,
            batch,
            records=records,
            dead_letters=len(letters),
            emissions=len(outputs),
            crc=digest((write.key, write.value) for write in outputs),
        )
        bookkeeping = (
            *self._states(step.changes),
            Write(
                self._journal_topic,
                self._partition,
                b"%d" % self._partition,
                self._codec.encode(journal),
                self._headers(batch, len(outputs), "journal/1", journal),
            ),
            self._own(self._state_topic, APPLIED_KEY, applied.dump()),
        )
        if checkpoint is None:
            return Plan(outputs, bookkeeping, applied)
        return Plan(outputs, bookkeeping, applied, self._checkpoint(checkpoint, step, applied))

    def _output(self, batch: Batch[Any], index: int, emission: Emission) -> Write:
        return Write(
            self._topics.full(emission.topic),
            -1,
            emission.key.encode(),
            self._codec.encode(emission.record),
            self._headers(batch, index, emission.rule, emission.record),
        )

    def _headers(
        self, batch: Batch[Any], index: int, rule: str, record: Record
    ) -> list[tuple[str, str | bytes | None]]:
        identity = decision_id(self._source, self._partition, batch.version, index, rule)
        return [*headers(record, event_id=identity, source=self._origin, time=batch.now, sequence=batch.version)]

    def _states(self, changes: Mapping[str, Any]) -> list[Write]:
        return [
            self._own(self._state_topic, key.encode(), None if value is None else self._fold.dump(value))
            for key, value in changes.items()
        ]

    def _checkpoint(self, before: Mapping[str, Any], step: Step[Any], applied: Applied) -> Iterator[Write]:
        keys = 0
        for key, value in overlaid(before, step.changes):
            yield self._own(self._checkpoint_topic, key.encode(), self._fold.dump(value))
            keys += 1
        yield self._own(self._checkpoint_topic, APPLIED_KEY, CheckpointMark(applied, keys).dump())

    def _own(self, topic: str, key: bytes, value: bytes | None) -> Write:
        return Write(topic, self._partition, key, value, _EMPTY_HEADERS)


def origin(agent: str, partition: int) -> str:
    """The `ce_source` of a lane's outputs."""
    return f"/snowshed/{agent}/{partition}"


def dead_letter(topic: str, partition: int, message: Message, error: BaseException, now: float) -> DeadLetter:
    """The dead letter for a message that `error` made unusable; cut if its record is larger than any topic takes."""
    reason = str(error.at(topic, partition, message.offset)) if isinstance(error, DecodeError) else str(error)
    return bounded(
        DeadLetter(
            topic=topic,
            partition=partition,
            offset=message.offset,
            timestamp=message.timestamp,
            key=message.key,
            value=message.value,
            error=type(error).__name__,
            reason=reason if len(reason) <= _REASON_LENGTH else f"{reason[:_REASON_LENGTH]}…",
            rejected_at=now,
            key_size=len(message.key or b""),
            value_size=len(message.value or b""),
        )
    )


def _letter_emission(letter: DeadLetter) -> Emission:
    return Emission("dead-letters", f"{letter.topic}-{letter.partition}-{letter.offset}", letter, "dead-letter/1")
