"""Folds a recording again, purely.

With the journal of a live run in the recording, exactly its batches are folded and every batch's outputs must have the
journalled digest: that proves that last night's decisions followed from last night's input. A partition begins with its
first batch, or at a checkpoint where the recording has lost its head. Without a journal, batches are made from the
records' times, level 1 feeds level 2 directly, and the result shows what would be decided.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from snowshed.schemas.codec import Codec
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.folding import Fold, Message
from snowshed.streams.replay.by_time import fold_by_time
from snowshed.streams.replay.offline import Lanes, OfflineLane
from snowshed.streams.replay.recording import Recording
from snowshed.streams.replay.refold import Inputs, flawed, journalled, refold
from snowshed.streams.replay.result import ReplayResult, Tally
from snowshed.streams.replay.starts import Start, StartSearch, complete_checkpoints, state_of
from snowshed.streams.transactions.journal import Applied

__all__ = ["replay"]

_Placed = Mapping[tuple[str, int], Sequence[Message]]


def replay(recording: Recording, folds: Mapping[str, Fold[Any, Any]], topics: Topics, codec: Codec) -> ReplayResult:
    """Fold a recording.

    Args:
        recording: the log.
        folds: folds by agent name.
        topics: full topic names, which enter the ids of outputs.
        codec: encodes outputs and decodes journals.
    """
    lanes, tally, placed = Lanes(folds, topics, codec), Tally(), _by_place(recording)
    journals = sorted((name, place[1]) for place in placed for name in folds if place[0] == f"journal.{name}")
    for name, partition in journals:
        _refold(placed, name, lanes.get(name, partition), codec, tally)
    if not journals:
        fold_by_time(recording, lanes, codec, tally)
    return tally.result()


def _by_place(recording: Recording) -> _Placed:
    placed: defaultdict[tuple[str, int], list[Message]] = defaultdict(list)
    for record in recording.records:
        placed[record.topic, record.partition].append(record.message)
    for messages in placed.values():
        messages.sort(key=lambda message: message.offset)
    return {**placed}


def _refold(placed: _Placed, name: str, lane: OfflineLane, codec: Codec, tally: Tally) -> None:
    journal = placed[f"journal.{name}", lane.partition]
    inputs = placed.get((AGENTS[name], lane.partition), ())
    checkpoints = placed.get((f"checkpoint.{name}", lane.partition), ())
    search = StartSearch([*complete_checkpoints(checkpoints)], inputs[0].offset if inputs else sys.maxsize)
    for record in journal:
        search.note(journalled(codec, name, record), record.offset)
    tally.differences.extend(map(flawed, search.flaws))
    start = search.found(Applied(), 0)
    if start is None:
        tally.unproved.append(search.unproved(name, lane.partition))
        return
    _resume(lane, start, checkpoints)
    entries = (journalled(codec, name, record) for record in journal if record.offset >= start.journal_offset)
    for refolded in refold(lane, entries, Inputs(inputs)):
        if refolded.outcome is not None:
            tally.note(refolded.outcome.step, refolded.outcome.letters, refolded.records)
        if refolded.reason:
            tally.differences.append(refolded.difference)
        elif refolded.refused:
            tally.refused += 1
        else:
            tally.verified += 1


def _resume(lane: OfflineLane, start: Start, checkpoints: Sequence[Message]) -> None:
    if (checkpoint := start.checkpoint) is not None:
        own = (record for record in checkpoints if checkpoint.first <= record.offset < checkpoint.end)
        lane.resume(checkpoint.applied, state_of(own))
