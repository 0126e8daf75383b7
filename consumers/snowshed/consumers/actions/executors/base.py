"""The seam between an action and what carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from snowshed.schemas.records import ActionKind

__all__ = ["Executor", "Job", "Result", "Verdict"]


class Verdict(Enum):
    """How carrying an action out ended."""

    DONE = "done"
    FAILED = "failed"
    """It was not done, or not wholly, and will not be by itself."""
    UNKNOWN = "unknown"
    """The answer was lost: it may have been done."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a job."""

    verdict: Verdict
    output: str
    """The end of what was printed or answered; holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of an action."""

    key: str
    """The same in every run of the action."""
    kind: ActionKind
    runbook: str
    values: Mapping[str, str]
    """What the incident tells."""
    timeout: float
    attempt: int


class Executor(Protocol):
    """Carries actions out; used by several threads."""

    @property
    def name(self) -> str:
        """What it is called in runbooks and records."""
        ...

    def describe(self, values: Mapping[str, str]) -> str:
        """What would be done, without doing it.

        Raises:
            Unfit: the incident does not tell what is needed.
        """
        ...

    def run(self, job: Job) -> Result:
        """Do it within the job's time and say how that ended; does not raise for what the target does."""
        ...
