"""Folds one partition of the log again, from Kafka, and compares batches, checkpoints and state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import JournalEntry
from snowshed.schemas.topics import AGENTS
from snowshed.streams.folding import Message
from snowshed.streams.replay.differences import Findings
from snowshed.streams.replay.log import Log
from snowshed.streams.replay.offline import OfflineLane
from snowshed.streams.replay.outputs import Window
from snowshed.streams.replay.refold import Inputs, Refolded, journalled, refold
from snowshed.streams.replay.starts import Checkpoint, Start, StartSearch, complete_checkpoints, state_of
from snowshed.streams.replay.states import StateCheck, Stored
from snowshed.streams.transactions.journal import APPLIED_KEY, Applied

__all__ = ["LaneLog", "LaneProof", "prove_lane", "search_start"]


@dataclass(frozen=True, slots=True)
class LaneProof:
    """What was compared of one partition of an agent."""

    agent: str
    partition: int
    from_checkpoint: bool
    first_version: int
    last_version: int
    """Versions of the batches folded; one below `first_version` where there were none."""
    since: float
    until: float
    """Times of the first batch, or of the checkpoint, and of the last batch."""
    batches: int
    records: int
    refused: int
    """Records set aside because the broker refused what they gave: no fold can show that."""
    state_keys: int
    checkpoints: int
    """Later checkpoints that were compared with the folded state."""


@dataclass(frozen=True, slots=True)
class LaneLog:
    """What Kafka has of one partition: its state, where its other parts end, and where to begin.

    The order of reading makes it whole although workers go on: checkpoints, then the state, then the journal, which
    therefore reaches at least as far as either, then the input. Outputs are read later still.
    """

    log: Log
    agent: str
    partition: int
    codec: Codec
    state: Stored
    journal_end: int
    input_end: int
    search: StartSearch
    start: Start | None

    @classmethod
    def read(cls, log: Log, agent: str, partition: int, codec: Codec) -> LaneLog:
        """Read checkpoints, state and journal, and find where to begin."""
        found, state = _checkpoints(log, agent, partition), f"state.{agent}"
        stored = _stored(log.read(state, partition, *log.bounds(state, partition)))
        end = log.bounds(f"journal.{agent}", partition).end
        search = _searched(log, agent, partition, codec, checkpoints=found, end=end)
        return cls(
            log=log,
            agent=agent,
            partition=partition,
            codec=codec,
            state=stored,
            journal_end=end,
            input_end=log.bounds(AGENTS[agent], partition).end,
            search=search,
            start=search.found(stored.applied, end),
        )

    @property
    def untouched(self) -> bool:
        """Whether nothing was ever folded."""
        return not self.state.applied.version and self.search.first is None

    @property
    def window(self) -> Window | None:
        """The time whose outputs must be explained; None where nothing can be folded again."""
        if self.untouched:
            return Window()
        if self.start is None:
            return None
        until = self.search.last.now if self.search.last else self.start.since
        floor = self.start.since if self.start.checkpoint else -inf
        return Window(since=self.start.since, floor=floor, until=until)

    def resume(self, lane: OfflineLane, start: Start) -> None:
        """Put a lane that has folded nothing yet where to begin."""
        if (checkpoint := start.checkpoint) is not None:
            lane.resume(checkpoint.applied, state_of(self.read_checkpoint(checkpoint)))

    def folded(self, lane: OfflineLane, start: Start) -> Iterator[Refolded]:
        """The journalled batches, folded again."""
        source = AGENTS[self.agent]
        low = max(lane.next_offset, self.log.bounds(source, self.partition).low)
        inputs = self.log.read(source, self.partition, low, self.input_end)
        return refold(lane, self._entries(start), Inputs(inputs))

    def read_checkpoint(self, checkpoint: Checkpoint) -> Iterator[Message]:
        """A checkpoint's records."""
        return self.log.read(f"checkpoint.{self.agent}", self.partition, checkpoint.first, checkpoint.end)

    def _entries(self, start: Start) -> Iterator[JournalEntry]:
        records = self.log.read(f"journal.{self.agent}", self.partition, start.journal_offset, self.journal_end)
        return (journalled(self.codec, self.agent, record) for record in records)


def search_start(log: Log, agent: str, partition: int, codec: Codec) -> StartSearch:
    """Read a partition's checkpoints, then its journal, for a place to begin."""
    found = _checkpoints(log, agent, partition)
    end = log.bounds(f"journal.{agent}", partition).end
    return _searched(log, agent, partition, codec, checkpoints=found, end=end)


def _checkpoints(log: Log, agent: str, partition: int) -> tuple[Checkpoint, ...]:
    topic = f"checkpoint.{agent}"
    return (*complete_checkpoints(log.read(topic, partition, *log.bounds(topic, partition))),)


def _searched(
    log: Log, agent: str, partition: int, codec: Codec, *, checkpoints: tuple[Checkpoint, ...], end: int
) -> StartSearch:
    search, journal = StartSearch(checkpoints, log.bounds(AGENTS[agent], partition).low), f"journal.{agent}"
    for record in log.read(journal, partition, log.bounds(journal, partition).low, end):
        search.note(journalled(codec, agent, record), record.offset)
    return search


def prove_lane(
    lane_log: LaneLog, start: Start, lane: OfflineLane, findings: Findings, take: Callable[[Refolded], None]
) -> LaneProof:
    """Fold a lane's journalled batches again and compare.

    Args:
        lane_log: what Kafka has.
        start: where to begin.
        lane: a lane that has folded nothing yet.
        findings: takes the differences.
        take: is given each batch.
    """
    lane_log.resume(lane, start)
    first = lane.version
    check = _check(lane_log, lane, findings)
    check.look()
    batches = records = refused = 0
    for refolded in lane_log.folded(lane, start):
        batches, records, refused = batches + 1, records + refolded.records, refused + refolded.refused
        if refolded.reason:
            findings.add(refolded.difference)
        take(refolded)
        check.look()
    check.finish(first)
    return LaneProof(
        agent=lane_log.agent,
        partition=lane_log.partition,
        from_checkpoint=start.checkpoint is not None,
        first_version=first + 1,
        last_version=lane.version,
        since=start.since,
        until=lane.now,
        batches=batches,
        records=records,
        refused=refused,
        state_keys=check.keys,
        checkpoints=check.compared_checkpoints,
    )


def _check(lane_log: LaneLog, lane: OfflineLane, findings: Findings) -> StateCheck:
    later = {one.applied.version: one for one in lane_log.search.checkpoints if one.applied.version > lane.version}

    def values(checkpoint: Checkpoint) -> dict[str, Message]:
        return {
            (record.key or b"").decode(): record
            for record in lane_log.read_checkpoint(checkpoint)
            if record.key != APPLIED_KEY
        }

    return StateCheck(lane_log.agent, lane, lane_log.state, later, values, findings)


def _stored(records: Iterable[Message]) -> Stored:
    values: dict[str, Message] = {}
    applied = Applied()
    for record in records:
        if record.key == APPLIED_KEY:
            applied = Applied.load(record.value or b"{}")
        elif record.value is None:
            values.pop((record.key or b"").decode(), None)
        else:
            values[(record.key or b"").decode()] = record
    return Stored(values, applied)
