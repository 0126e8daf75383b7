"""Any program of this machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from snowshed.consumers.actions.executors.base import Job, Result
from snowshed.consumers.actions.executors.process import environment, run_program
from snowshed.consumers.actions.values import filled

__all__ = ["Command"]


@dataclass(frozen=True, slots=True)
class Command:
    """Runs a program with its arguments.

    Args:
        words: program and arguments, with `$names` to fill in.
        passed: variables of ours that it gets.
    """

    words: tuple[str, ...]
    passed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called."""
        return "command"

    def describe(self, values: Mapping[str, str]) -> str:
        """The command line."""
        return shlex.join(self._words(values))

    def run(self, job: Job) -> Result:
        """Run it."""
        return run_program(self._words(job.values), environment(job, self.passed), job.timeout)

    def _words(self, values: Mapping[str, str]) -> list[str]:
        return [filled(word, values) for word in self.words]
