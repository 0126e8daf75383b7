"""A unit of systemd, on this machine or on another by its own remote access."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from snowshed.consumers.actions.executors.base import Job, Result, Verdict
from snowshed.consumers.actions.executors.process import environment, run_program
from snowshed.consumers.actions.values import filled
from snowshed.schemas.records import ActionKind

__all__ = ["VERBS", "Scope", "Systemd"]

VERBS: Mapping[ActionKind, str] = MappingProxyType(
    {ActionKind.RESTART: "restart", ActionKind.DRAIN: "stop", ActionKind.SCALE_OUT: "start"}
)
"""What systemctl is told for each kind of action; scaling out starts one more instance of a template unit."""

_CUT = ("Failed to wait for response", "Connection reset by peer")
"""What systemctl prints when it lost systemd after it had asked, as when systemd itself is updated meanwhile."""


class Scope(Enum):
    """Whose systemd is told."""

    SYSTEM = "system"
    USER = "user"
    """That of the user who runs the executor."""


@dataclass(frozen=True, slots=True)
class Systemd:
    """Tells systemctl.

    Args:
        kind: what is done.
        unit: the unit, with `$names` to fill in.
        host: the machine, as systemctl's `--host` takes it; empty for this one.
        scope: whose systemd; a user's only on this machine.
    """

    kind: ActionKind
    unit: str
    host: str = ""
    scope: Scope = Scope.SYSTEM

    @property
    def name(self) -> str:
        """What it is called."""
        return "systemd"

    def describe(self, values: Mapping[str, str]) -> str:
        """The command line."""
        return " ".join(self._words(values))

    def run(self, job: Job) -> Result:
        """Run it and wait for systemd's job, which goes on when systemctl ends before it."""
        result = run_program(self._words(job.values), environment(job), job.timeout, late=Verdict.UNKNOWN)
        if result.verdict is Verdict.FAILED and any(words in result.output for words in _CUT):
            return replace(result, verdict=Verdict.UNKNOWN)
        return result

    def _words(self, values: Mapping[str, str]) -> list[str]:
        scope = ["--user"] if self.scope is Scope.USER else []
        host = ["--host", filled(self.host, values)] if self.host else []
        return ["systemctl", *scope, *host, VERBS[self.kind], filled(self.unit, values)]
