"""A Docker engine, by its HTTP API: a container of its own, a service or a node of its swarm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from snowshed.consumers.actions.executors.asking import Asking, Ended, settled
from snowshed.consumers.actions.executors.base import Job, Result, Verdict
from snowshed.consumers.actions.values import filled
from snowshed.consumers.outward.http import Answer, Endpoint
from snowshed.schemas.records import ActionKind

__all__ = ["KINDS", "Docker"]

KINDS = frozenset({ActionKind.RESTART, ActionKind.SCALE_OUT, ActionKind.DRAIN})
"""What it can do: restart a container, add replicas to a service, empty a node of the swarm."""

# No path names a version of the API, which asks for the newest that the engine knows: engines refuse old versions, and
# writing a service in an old one takes away what that version does not know of it.
_LABEL = "snowshed.action"
_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """Asks the engine.

    Args:
        kind: what is done.
        endpoint: the engine, most often `unix:///var/run/docker.sock`.
        target: name of the container, service or node, with `$names` to fill in.
        by: replicas to add.
        most: replicas that scaling out never exceeds.
    """

    kind: ActionKind
    endpoint: Endpoint
    target: str
    by: int = 1
    most: int = 10

    @property
    def name(self) -> str:
        """What it is called."""
        return "docker"

    def describe(self, values: Mapping[str, str]) -> str:
        """What is asked of the engine."""
        target, place = filled(self.target, values), f"at {self.endpoint.place}"
        return {
            ActionKind.RESTART: f"restart container {target} {place}",
            ActionKind.SCALE_OUT: f"add {self.by} replicas to service {target} {place}, at most {self.most}",
            ActionKind.DRAIN: f"drain node {target} {place}",
        }[self.kind]

    def run(self, job: Job) -> Result:
        """Ask for it."""
        asking = Asking(self.endpoint, {}, job.timeout)
        target = filled(self.target, job.values)
        act = {
            ActionKind.RESTART: self._restart,
            ActionKind.SCALE_OUT: self._scale_out,
            ActionKind.DRAIN: self._drain,
        }[self.kind]
        try:
            return act(asking, target, job)
        except Ended as ended:
            return ended.result

    def _restart(self, asking: Asking, target: str, _job: Job) -> Result:
        container = asking.get(f"/containers/{quote(target, safe='')}/json")
        _check_called(target, container["Id"], container["Name"].removeprefix("/"))
        # Without a time the engine gives the container as long to stop as it was started with.
        return settled(asking.change("POST", f"/containers/{container['Id']}/restart"), "restarted")

    def _scale_out(self, asking: Asking, target: str, job: Job) -> Result:
        path = f"/services/{quote(target, safe='')}"
        for _ in range(_TRIES):
            service = asking.get(path)
            spec: dict[str, Any] = service["Spec"]
            _check_called(target, service["ID"], spec["Name"])
            mode = spec.get("Mode", {}).get("Replicated")
            if mode is None:
                return Result(Verdict.FAILED, "the service runs on every node and has no number of replicas")
            replicas = int(mode.get("Replicas", 1))
            if spec.get("Labels", {}).get(_LABEL) == job.key:
                return Result(Verdict.DONE, f"already has {replicas} replicas by this action")
            wanted = min(replicas + self.by, self.most)
            if wanted <= replicas:
                return Result(Verdict.FAILED, f"has {replicas} replicas, and at most {self.most} are allowed")
            spec["Mode"]["Replicated"]["Replicas"] = wanted
            spec["Labels"] = {**spec.get("Labels", {}), _LABEL: job.key}
            answer = asking.change("POST", f"{path}/update?version={service['Version']['Index']}", spec)
            if not _overtaken(answer):
                return settled(answer, f"from {replicas} to {wanted} replicas")
        return Result(Verdict.FAILED, f"somebody else changed the service {_TRIES} times meanwhile")

    def _drain(self, asking: Asking, target: str, _job: Job) -> Result:
        path = f"/nodes/{quote(target, safe='')}"
        for _ in range(_TRIES):
            node = asking.get(path)
            _check_called(target, node["ID"], node["Description"]["Hostname"])
            spec = {**node["Spec"], "Availability": "drain"}
            answer = asking.change("POST", f"{path}/update?version={node['Version']['Index']}", spec)
            if not _overtaken(answer):
                return settled(answer, "drained")
        return Result(Verdict.FAILED, f"somebody else changed the node {_TRIES} times meanwhile")


def _check_called(target: str, *names: str) -> None:
    """Refuse what was found by the beginning of its id: the name of another thing may look like one."""
    if target.lower() not in {name.lower() for name in names}:  # a swarm does not tell names apart by case
        raise Ended(Result(Verdict.FAILED, f"the engine knows nothing called {target}, only an id that begins so"))


def _overtaken(answer: Answer) -> bool:
    """Whether a version was no longer the newest; the engine says so with 500 and words."""
    return not answer.ok and b"out of sequence" in answer.body
