"""What a lane tells whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from snowshed.streams.transactions.states import LaneState

__all__ = ["AbortedBatch", "CommittedBatch", "LaneChange", "LaneWatcher", "NoWatcher"]


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


@dataclass(frozen=True, slots=True)
class AbortedBatch:
    """A batch was undone and will be tried again."""

    lane: str
    agent: str
    partition: int
    records: int
    cause: str
    reason: str


class LaneWatcher(Protocol):
    """Receives lanes' events, from lanes' threads."""

    def changed(self, event: LaneChange) -> None:
        """A lane changed its state."""
        ...

    def committed(self, event: CommittedBatch) -> None:
        """A batch was committed."""
        ...

    def aborted(self, event: AbortedBatch) -> None:
        """A batch was undone."""
        ...


class NoWatcher:
    """Watches nothing."""

    def changed(self, event: LaneChange) -> None:
        """Ignore the event."""

    def committed(self, event: CommittedBatch) -> None:
        """Ignore the event."""

    def aborted(self, event: AbortedBatch) -> None:
        """Ignore the event."""
