"""Folds the very batches of a live run and compares what they give with what the live run journalled."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import SnowshedError
from snowshed.schemas.records import JournalEntry
from snowshed.schemas.topics import AGENTS
from snowshed.streams.folding import Batch, Message
from snowshed.streams.replay.differences import Difference, Kind
from snowshed.streams.replay.offline import OfflineLane, Outcome, Unfoldable
from snowshed.streams.replay.starts import Flaw
from snowshed.streams.transactions.errors import Unwritable
from snowshed.streams.transactions.journal import digest

__all__ = ["Inputs", "Refolded", "flawed", "journalled", "refold"]


@dataclass(frozen=True, slots=True)
class Refolded:
    """One journalled batch, folded again."""

    entry: JournalEntry
    records: int
    """Input records that it had now."""
    outcome: Outcome | None
    """None where the fold raised, though it did not for the live run."""
    refused: bool
    """Whether the live run set its record aside because the broker refused the outputs: no fold can show that."""
    reason: str
    """How it differs from what the journal says; empty where it does not."""

    @property
    def difference(self) -> Difference:
        """The batch's difference; only where `reason` says that there is one."""
        return _of_entry(Kind.BATCH, self.entry, self.reason)


class Inputs:
    """A partition's input in order, taken batch by batch."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages = iter(messages)
        self._ahead: deque[Message] = deque()

    def until(self, offset: int) -> list[Message]:
        """What comes before `offset` and has not been taken yet."""
        taken: list[Message] = []
        while (message := self._next()) is not None:
            if message.offset >= offset:
                self._ahead.append(message)
                break
            taken.append(message)
        return taken

    def _next(self) -> Message | None:
        return self._ahead.popleft() if self._ahead else next(self._messages, None)


def journalled(codec: Codec, agent: str, record: Message) -> JournalEntry:
    """The journal entry in a record.

    Raises:
        SnowshedError: it is something else.
    """
    entry = codec.decode(record.value)
    if not isinstance(entry, JournalEntry):
        raise SnowshedError(
            f"journal.{agent}@{record.offset} holds a {type(entry).__name__}: something else writes to the journal"
        )
    return entry


def refold(lane: OfflineLane, entries: Iterable[JournalEntry], inputs: Inputs) -> Iterator[Refolded]:
    """Fold the batches of a lane's journal one by one; those that the lane's state already has are passed over."""
    for entry in entries:
        if entry.version > lane.version:
            yield _refolded(lane, entry, inputs.until(entry.next_offset))


def _refolded(lane: OfflineLane, entry: JournalEntry, messages: list[Message]) -> Refolded:
    frame = _frame(entry)
    try:
        outcome = lane.judged(messages, frame)
    except Unfoldable as error:
        lane.pass_by(frame)
        return Refolded(entry, len(messages), None, False, f"the fold fails: {error}")
    refused = not outcome.letters and len(messages) == entry.records == entry.dead_letters == entry.emissions == 1
    if refused:
        outcome = lane.buried(messages[0], Unwritable("what the broker said is no part of the input"), frame)
    lane.take_on(outcome)
    return Refolded(entry, len(messages), outcome, refused, _difference(entry, messages, outcome, refused=refused))


def _difference(entry: JournalEntry, messages: list[Message], outcome: Outcome, *, refused: bool) -> str:
    outputs = outcome.plan.outputs
    skipped = sum(message.offset < entry.first_offset for message in messages)
    if skipped:
        return f"{skipped} records before offset {entry.first_offset} of {AGENTS[entry.agent]} were never folded"
    for found, told, what in (
        (len(messages), entry.records, "records"),
        (len(outcome.letters), entry.dead_letters, "dead letters"),
        (len(outputs), entry.emissions, "outputs"),
    ):
        if found != told:
            return f"{found} {what}, while the journal says {told}"
    if not refused and digest((write.key, write.value) for write in outputs) != entry.digest:
        return "the outputs have another digest than the journal says"
    return ""


def flawed(flaw: Flaw) -> Difference:
    """The difference that a flaw of the journal is."""
    return _of_entry(Kind.JOURNAL, flaw.entry, flaw.reason)


def _of_entry(kind: Kind, entry: JournalEntry, reason: str) -> Difference:
    return Difference(
        kind=kind,
        agent=entry.agent,
        partition=entry.partition,
        version=entry.version,
        at=entry.now,
        reason=reason,
        first_offset=entry.first_offset,
        next_offset=entry.next_offset,
    )


def _frame(entry: JournalEntry) -> Batch[Any]:
    return Batch(
        partition=entry.partition,
        first_offset=entry.first_offset,
        next_offset=entry.next_offset,
        version=entry.version,
        now=entry.now,
        caught_up=entry.caught_up,
        detector_lag=entry.detector_lag,
        records=None,
    )
