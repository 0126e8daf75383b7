"""Kills or freezes its own process at a chosen step of a batch or of a lane's life."""

from __future__ import annotations

import os
import random
import signal
import threading
from dataclasses import dataclass
from enum import Enum
from typing import Self

from snowshed.streams.metrics import Metrics
from snowshed.streams.transactions.events import BatchStep, CommittedBatch, LaneChange, Reached
from snowshed.streams.transactions.states import LaneState

__all__ = ["At", "FailPoint", "FailPointMetrics", "Trigger"]

_COMMIT_SECONDS = 0.05
"""A commit takes about as long; the kill falls at a random moment within."""
_RESTORE_SECONDS = 0.15


class At(Enum):
    """Where a worker is struck."""

    BEFORE_PRODUCE = "before-produce"
    AFTER_PRODUCE = "after-produce"
    AFTER_OFFSETS = "after-offsets"
    DURING_COMMIT = "during-commit"
    AFTER_COMMIT = "after-commit"
    IN_RESTORE = "in-restore"
    IN_ASSIGNMENT = "in-assignment"


@dataclass(frozen=True, slots=True)
class FailPoint:
    """The `nth` time that any lane of the process reaches `where`, the process sends itself a signal."""

    where: At
    nth: int
    seed: int
    signal: signal.Signals = signal.SIGKILL

    def __str__(self) -> str:
        return f"{self.where.value}:{self.nth}:{self.seed}:{self.signal.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` gave."""
        where, nth, seed, name = text.split(":")
        return cls(At(where), int(nth), int(seed), signal.Signals[name])


class Trigger:
    """Counts how often `where` is passed, and strikes once."""

    def __init__(self, point: FailPoint) -> None:
        self._point, self._left, self._lock = point, point.nth, threading.Lock()
        self._random = random.Random(point.seed)

    def passed(self, where: At, *, within: float = 0.0) -> None:
        """Note that `where` is passed; strikes now, or at a random moment within so many seconds."""
        if where is not self._point.where:
            return
        with self._lock:
            self._left -= 1
            if self._left != 0:
                return
        if within:
            threading.Timer(self._random.uniform(0, within), self._strike).start()
        else:
            self._strike()

    def _strike(self) -> None:
        os.kill(os.getpid(), self._point.signal)


_STEPS = {
    BatchStep.FOLDED: At.BEFORE_PRODUCE,
    BatchStep.WRITTEN: At.AFTER_PRODUCE,
    BatchStep.OFFSETS_SENT: At.AFTER_OFFSETS,
}


class FailPointMetrics(Metrics):
    """A worker's metrics that end the worker at a fail point."""

    def __init__(self, point: FailPoint) -> None:
        super().__init__()
        self._pass = Trigger(point).passed

    def changed(self, event: LaneChange) -> None:
        """Die in an assignment or a restore."""
        if event.after is LaneState.FENCING:
            self._pass(At.IN_ASSIGNMENT)
        elif event.after is LaneState.RESTORING:
            self._pass(At.IN_RESTORE, within=_RESTORE_SECONDS)
        super().changed(event)

    def reached(self, event: Reached) -> None:
        """Die before the commit, or while it is under way."""
        self._pass(_STEPS[event.step])
        if event.step is BatchStep.OFFSETS_SENT:
            self._pass(At.DURING_COMMIT, within=_COMMIT_SECONDS)

    def committed(self, event: CommittedBatch) -> None:
        """Die after the commit, before anybody in this process knows of it."""
        self._pass(At.AFTER_COMMIT)
        super().committed(event)
