"""What a lane tells whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from snowshed.streams.transactions.states import LaneState

__all__ = [
    "AbortedBatch",
    "Backlog",
    "BatchStep",
    "CommittedBatch",
    "LaneChange",
    "LaneWatcher",
    "NoWatcher",
    "Reached",
]


class BatchStep(Enum):
    """How far a batch has come on its way into the log."""

    FOLDED = "folded"
    """Its writes are known, nothing is written."""
    WRITTEN = "written"
    """Its writes are handed to the client, within an open transaction."""
    OFFSETS_SENT = "offsets_sent"
    """The group's offsets are part of the transaction; committing it follows."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A batch has come one step further; what follows the last step is a `CommittedBatch` or an `AbortedBatch`."""

    lane: str
    step: BatchStep


@dataclass(frozen=True, slots=True)
class LaneChange:
    """A lane went from one state to the next."""

    lane: str
    before: LaneState
    after: LaneState
    seconds: float
    """Time spent in `before`."""
    reason: str


@dataclass(frozen=True, slots=True)
class CommittedBatch:
    """A batch was committed."""

    lane: str
    agent: str
    partition: int
    records: int
    emissions: int
    dead_letters: int
    skipped: int
    """Records below the lane's position, seen a second time and dropped."""
    fold_seconds: float
    commit_seconds: float
    detector_lag: float
    lost: float = 0.0
    """Records that their senders are now known to have lost."""
    clock_off: float | None = None
    """Seconds by which the worst of their clocks is off; None where nothing new is known."""


@dataclass(frozen=True, slots=True)
class AbortedBatch:
    """A batch was undone and will be tried again."""

    lane: str
    agent: str
    partition: int
    records: int
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many records stand in a partition that its lane has not yet taken."""

    agent: str
    partition: int
    records: int


class LaneWatcher(Protocol):
    """Receives lanes' events, from lanes' threads."""

    def changed(self, event: LaneChange) -> None:
        """A lane changed its state."""
        ...

    def reached(self, event: Reached) -> None:
        """A batch has come one step further."""
        ...

    def committed(self, event: CommittedBatch) -> None:
        """A batch was committed."""
        ...

    def aborted(self, event: AbortedBatch) -> None:
        """A batch was undone."""
        ...

    def behind(self, event: Backlog) -> None:
        """A partition's backlog was looked at, as it is about once a second."""
        ...


class NoWatcher:
    """Watches nothing."""

    def changed(self, event: LaneChange) -> None:
        """Ignore the event."""

    def reached(self, event: Reached) -> None:
        """Ignore the event."""

    def committed(self, event: CommittedBatch) -> None:
        """Ignore the event."""

    def aborted(self, event: AbortedBatch) -> None:
        """Ignore the event."""

    def behind(self, event: Backlog) -> None:
        """Ignore the event."""
