"""Checkpoints: a lane's whole state every few minutes, from which a replay can begin when the log's head has gone.

A checkpoint is a run of records on `checkpoint.<agent>`, one a state key, that ends with a mark. It is written in the
transaction of a batch and holds the state after it. The mark says how many keys stand before it, so that a checkpoint
whose first records have expired is recognised.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import orjson

from snowshed.streams.transactions.journal import Applied

__all__ = ["CheckpointMark", "due", "next_due", "overlaid"]

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class CheckpointMark:
    """What stands at the end of a checkpoint."""

    applied: Applied
    """How far the state had come."""
    keys: int
    """Records of the checkpoint in front of this one."""

    def dump(self) -> bytes:
        """The mark as JSON."""
        return orjson.dumps(self)

    @classmethod
    def load(cls, raw: bytes) -> CheckpointMark:
        """Read a mark that `dump` wrote."""
        table = orjson.loads(raw)
        return cls(Applied(**table["applied"]), table["keys"])


def due(lane: str, before: float, now: float, period: float) -> bool:
    """Whether the batch at `now` is the first of a new period after the one at `before`, both on the log's clock.

    Lanes have their periods shifted against each other, so that they do not all write at one moment.

    Args:
        lane: name of the lane.
        before: time of the batch before, 0 for the first of all, which needs no checkpoint.
        now: time of this batch.
        period: seconds; 0 for never.
    """
    return period > 0 and before > 0 and next_due(lane, before, period) <= now


def next_due(lane: str, before: float, period: float) -> float:
    """The time from which on the first batch writes a checkpoint."""
    shift = zlib.crc32(lane.encode()) / 2**32 * period
    return ((before + shift) // period + 1) * period - shift


def overlaid(state: Mapping[str, S], changes: Mapping[str, S | None]) -> Iterator[tuple[str, S]]:
    """A state after `changes`, without a copy of it."""
    for key, held in state.items():
        value = changes.get(key, held)
        if value is not None:
            yield key, value
    for key, value in changes.items():
        if value is not None and key not in state:
            yield key, value
