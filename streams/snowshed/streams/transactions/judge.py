"""How a lane asks for judgement: it hands over work and waits for the step.

The lane's thread submits; whoever runs the fold (a Faust agent in a worker, the lane's own thread in a test) answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from snowshed.schemas.errors import SnowshedError
from snowshed.streams.folding import Batch, Fold, Step

__all__ = ["DirectJudge", "Judge", "JudgeUnavailable", "Work"]

_ids = count(1)


class JudgeUnavailable(SnowshedError):
    """The judge gave no answer; nothing is wrong with the batch, so it is tried again as it is."""


@dataclass(frozen=True, slots=True)
class Work:
    """One batch with the state it is to be folded into."""

    fold: Fold[Any, Any]
    state: Mapping[str, Any]
    batch: Batch[Any]
    work_id: int = field(default_factory=lambda: next(_ids))

    def step(self) -> Step[Any]:
        """Fold the batch."""
        return self.fold.step(self.state, self.batch)


class Judge(Protocol):
    """Runs folds on behalf of lanes."""

    def judge(self, work: Work) -> Step[Any]:
        """Fold `work` and return its step.

        Raises:
            JudgeUnavailable: there was no answer.
            Exception: whatever the fold raised.
        """
        ...


class DirectJudge:
    """Folds in the calling thread."""

    def judge(self, work: Work) -> Step[Any]:
        """Fold `work` here and now."""
        return work.step()
