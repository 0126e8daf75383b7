"""Folds a recording again, purely.

With the journal of a live run in the recording, exactly its batches are folded and every batch's outputs must have the
journalled digest: that proves that last night's decisions followed from last night's input. Without one, batches are
made from the records' times, level 1 feeds level 2 directly, and the result shows what would be decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snowshed.schemas.codec import Codec
from snowshed.schemas.topics import Topics
from snowshed.streams.folding import Fold
from snowshed.streams.replay.by_time import fold_by_time
from snowshed.streams.replay.offline import Lanes
from snowshed.streams.replay.recording import Recording
from snowshed.streams.replay.refold import refold
from snowshed.streams.replay.result import ReplayResult, Tally

__all__ = ["replay"]


def replay(recording: Recording, folds: Mapping[str, Fold[Any, Any]], topics: Topics, codec: Codec) -> ReplayResult:
    """Fold a recording.

    Args:
        recording: the log.
        folds: folds by agent name.
        topics: full topic names, which enter the ids of outputs.
        codec: encodes outputs and decodes journals.
    """
    lanes = Lanes(folds, topics, codec)
    journalled = {name for name in folds if recording.of(f"journal.{name}")}
    tally = Tally()
    for name in sorted(journalled):
        refold(recording, name, lanes, codec, tally)
    if not journalled:
        fold_by_time(recording, lanes, codec, tally)
    return tally.result()
