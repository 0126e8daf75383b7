"""Folds the very batches of a live run and compares what they give with what the live run wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import SnowshedError
from snowshed.schemas.records import JournalEntry
from snowshed.schemas.topics import AGENTS
from snowshed.streams.folding import Batch, Message
from snowshed.streams.replay.offline import Lanes, OfflineLane
from snowshed.streams.replay.recording import Recording
from snowshed.streams.replay.result import Difference, Tally
from snowshed.streams.transactions.journal import digest
from snowshed.streams.transactions.plan import Plan

__all__ = ["refold"]


def refold(recording: Recording, agent: str, lanes: Lanes, codec: Codec, tally: Tally) -> None:
    """Fold the journalled batches of one agent and compare each with what the live run wrote."""
    inputs: defaultdict[int, list[Message]] = defaultdict(list)
    for record in recording.of(AGENTS[agent]):
        inputs[record.partition].append(record.message)
    for record in recording.of(f"journal.{agent}"):
        entry = codec.decode(record.message.value)
        if not isinstance(entry, JournalEntry):
            raise SnowshedError(f"journal.{agent}[{record.partition}]@{record.message.offset} is not a journal entry")
        lane = lanes.get(agent, entry.partition)
        messages = [
            message for message in inputs[entry.partition] if entry.first_offset <= message.offset < entry.next_offset
        ]
        step, letters, plan = lane.apply(messages, _journalled(entry))
        tally.note(step, letters, len(messages))
        reason = _difference(entry, lane, messages, plan)
        if reason:
            tally.differences.append(Difference(agent, entry.partition, entry.version, reason))
        else:
            tally.verified += 1


def _difference(entry: JournalEntry, lane: OfflineLane, messages: Sequence[Message], plan: Plan) -> str:
    if len(messages) != entry.records:
        return f"the recording has {len(messages)} of the batch's {entry.records} records"
    if len(plan.outputs) != entry.emissions:
        return f"{len(plan.outputs)} outputs, not {entry.emissions}"
    if digest((write.key, write.value) for write in plan.outputs) != entry.digest:
        return f"the outputs of {lane.source} differ in their contents"
    return ""


def _journalled(entry: JournalEntry) -> Batch[Any]:
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
