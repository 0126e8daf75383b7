"""Where the replay of a partition can begin: with its first batch, or at a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from snowshed.schemas.records import JournalEntry
from snowshed.streams.folding import Message
from snowshed.streams.replay.differences import Unproved
from snowshed.streams.transactions.checkpoint import CheckpointMark, next_due
from snowshed.streams.transactions.context import LaneLimits
from snowshed.streams.transactions.journal import APPLIED_KEY, Applied

__all__ = ["Checkpoint", "Flaw", "Start", "StartSearch", "complete_checkpoints", "state_of"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint on its topic."""

    applied: Applied
    first: int
    """Offset of its first record, or of its mark where the state was empty."""
    end: int
    """Offset behind its mark."""

    @property
    def empty(self) -> bool:
        """Whether it has a mark only, as one that `snowshed reset` wrote, which is of no batch."""
        return self.end == self.first + 1


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: at a checkpoint, or with empty state."""

    checkpoint: Checkpoint | None
    journal_offset: int
    """Where the journal's first entry behind it stands, or may come to stand."""
    since: float
    """Time of the checkpoint, or of the first batch."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """An entry that does not follow from the one before it."""

    entry: JournalEntry
    offset: int
    reason: str


def complete_checkpoints(records: Iterable[Message]) -> Iterator[Checkpoint]:
    """The checkpoints in a partition's records of which nothing has expired."""
    keys, first = 0, -1
    for record in records:
        first = record.offset if first < 0 else first
        if record.key != APPLIED_KEY:
            keys += 1
            continue
        mark = CheckpointMark.load(record.value or b"{}")
        if mark.keys == keys:
            yield Checkpoint(mark.applied, first, record.offset + 1)
        keys, first = 0, -1


def state_of(records: Iterable[Message]) -> Mapping[str, bytes]:
    """The values of a checkpoint by state key."""
    return {
        (record.key or b"").decode(): record.value or b"" for record in records if record.key not in {APPLIED_KEY, None}
    }


@dataclass(slots=True)
class StartSearch:
    """Finds the oldest place from which on journal and input are whole.

    The journal's head may have expired, and then only a checkpoint whose next batch is still journalled will do; so may
    the input's, and then only one whose next record is still there.

    Args:
        checkpoints: the complete ones, in log order.
        input_low: the oldest offset that the input still has.
    """

    checkpoints: Sequence[Checkpoint]
    input_low: int
    last: JournalEntry | None = None
    """The last entry seen."""
    first: JournalEntry | None = None
    flaws: list[Flaw] = field(default_factory=list[Flaw])
    _open: list[Start] = field(default_factory=list[Start])
    _by_version: dict[int, Checkpoint] = field(default_factory=dict[int, Checkpoint])

    def __post_init__(self) -> None:
        self._by_version = {checkpoint.applied.version: checkpoint for checkpoint in self.checkpoints}

    def note(self, entry: JournalEntry, offset: int) -> None:
        """Take the journal's next entry, which stands at `offset`."""
        self.first = self.first or entry
        if not self._follows(entry, offset):
            return
        self.last = entry
        if entry.records and entry.first_offset < self.input_low:
            self._open.clear()
        checkpoint = self._by_version.get(entry.version)
        if checkpoint and checkpoint.applied == Applied(entry.next_offset, entry.version, entry.now):
            self._open.append(Start(checkpoint, offset + 1, entry.now))

    def _follows(self, entry: JournalEntry, offset: int) -> bool:
        last = self.last.version if self.last else None
        if entry.version == 1 and (last is None or last > 1):
            # Versions begin anew where workers were reset together with their state.
            self._open = [Start(None, offset, entry.now)]
        elif last is None or entry.version > last + 1:
            checkpoint = self._before(entry)
            self._open = [Start(checkpoint, offset, checkpoint.applied.now)] if checkpoint else []
            if last is not None and not (checkpoint and checkpoint.empty and entry.version == last + 2):
                self.flaws.append(Flaw(entry, offset, f"the journal goes from version {last} to {entry.version}"))
        elif entry.version <= last:
            self.flaws.append(Flaw(entry, offset, f"the journal tells of version {entry.version} after {last}"))
            return False
        return True

    def unproved(self, agent: str, partition: int) -> Unproved:
        """What to say where there is no place to begin."""
        first, last = self.first, self.last
        if first is None or last is None:
            return Unproved(agent, partition, "nothing of it is journalled any more: it has been idle for too long")
        reason = f"the journal begins at version {first.version}"
        if first.version == 1:
            reason = "the first records of the input are gone"
        every = LaneLimits().checkpoint
        return Unproved(
            agent,
            partition,
            f"{reason}, and no complete checkpoint has all of the journal and of the input behind it",
            next_due(f"{agent}-{partition}", last.now, every),
        )

    def found(self, applied: Applied, journal_end: int) -> Start | None:
        """The place, once the journal has been read to its end; None if there is none.

        Args:
            applied: how far the state had come, which matters where no batch is journalled since a checkpoint.
            journal_end: the offset behind the journal's last record.
        """
        newest = self._by_version.get(applied.version)
        journalled = self.last.version if self.last else 0
        if newest is not None and newest.applied == applied and applied.version > journalled:
            return Start(newest, journal_end, applied.now)
        return self._open[0] if self._open else None

    def _before(self, entry: JournalEntry) -> Checkpoint | None:
        """The checkpoint that stands right before an entry."""
        checkpoint = self._by_version.get(entry.version - 1)
        if checkpoint is None:
            return None
        applied = checkpoint.applied
        fits = applied.next_offset <= entry.first_offset and applied.now <= entry.now
        return checkpoint if fits else None
