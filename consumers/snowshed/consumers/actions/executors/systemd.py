"""A unit of systemd, on this machine or on another by its own remote access."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from snowshed.consumers.actions.executors.base import Job, Result
from snowshed.consumers.actions.executors.process import environment, run_program
from snowshed.consumers.actions.values import filled
from snowshed.schemas.records import ActionKind

__all__ = ["VERBS", "Systemd"]

VERBS: Mapping[ActionKind, str] = MappingProxyType(
    {ActionKind.RESTART: "restart", ActionKind.DRAIN: "stop", ActionKind.SCALE_OUT: "start"}
)
"""What systemctl is told for each kind of action; scaling out starts one more instance of a template unit."""


@dataclass(frozen=True, slots=True)
class Systemd:
    """Tells systemctl.

    Args:
        kind: what is done.
        unit: the unit, with `$names` to fill in.
        host: the machine, as systemctl's `--host` takes it; empty for this one.
    """

    kind: ActionKind
    unit: str
    host: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return "systemd"

    def describe(self, values: Mapping[str, str]) -> str:
        """The command line."""
        return " ".join(self._words(values))

    def run(self, job: Job) -> Result:
        """Run it and wait for systemd's job."""
        return run_program(self._words(job.values), environment(job), job.timeout)

    def _words(self, values: Mapping[str, str]) -> list[str]:
        host = ["--host", filled(self.host, values)] if self.host else []
        return ["systemctl", *host, VERBS[self.kind], filled(self.unit, values)]
