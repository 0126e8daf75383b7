"""A Kubernetes cluster, by its HTTP API.

Every change carries the action's key as an annotation, or is one that a second time changes nothing: so all of them may
be run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from snowshed.consumers.actions.executors.asking import Asking, Ended, document, settled, told
from snowshed.consumers.actions.executors.base import Job, Result, Verdict
from snowshed.consumers.actions.values import filled
from snowshed.consumers.outward.http import Answer, Endpoint
from snowshed.consumers.outward.secret import Secret
from snowshed.schemas.records import ActionKind

__all__ = ["KINDS", "Kubernetes"]

KINDS = frozenset({ActionKind.RESTART, ActionKind.SCALE_OUT, ActionKind.DRAIN, ActionKind.MIGRATE})
"""What it can do: roll a deployment, add replicas, empty a node, have one pod scheduled anew."""

_KEY = "snowshed.io/action"
_MERGE = "application/merge-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"
_GONE = 404
_HELD = 429
"""A disruption budget forbids it for now, or the server has too much to do."""
_TRIES = 5
_PAUSE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubernetes:
    """Asks the API server.

    Args:
        kind: what is done.
        endpoint: the API server.
        token: of the service account; None for a server that asks for none.
        namespace: of the deployment or pod.
        target: name of the deployment, node or pod, with `$names` to fill in.
        by: replicas to add.
        most: replicas that scaling out never exceeds.
        pause: waits between two tries.
    """

    kind: ActionKind
    endpoint: Endpoint
    token: Secret | None = None
    namespace: str = "default"
    target: str
    by: int = 1
    most: int = 10
    pause: Callable[[float], None] = time.sleep

    @property
    def name(self) -> str:
        """What it is called."""
        return "kubernetes"

    def describe(self, values: Mapping[str, str]) -> str:
        """What is asked of the cluster."""
        target, place = filled(self.target, values), f"in {self.namespace} at {self.endpoint.place}"
        return {
            ActionKind.RESTART: f"roll deployment {target} {place}",
            ActionKind.SCALE_OUT: f"add {self.by} replicas to deployment {target} {place}, at most {self.most}",
            ActionKind.DRAIN: f"cordon node {target} and evict its pods at {self.endpoint.place}",
            ActionKind.MIGRATE: f"evict pod {target} {place}",
        }[self.kind]

    def run(self, job: Job) -> Result:
        """Ask for it."""
        headers = {"Accept": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.reveal()}"
        asking = Asking(self.endpoint, headers, job.timeout)
        target = filled(self.target, job.values)
        act = {
            ActionKind.RESTART: self._restart,
            ActionKind.SCALE_OUT: self._scale_out,
            ActionKind.DRAIN: self._drain,
            ActionKind.MIGRATE: self._migrate,
        }[self.kind]
        try:
            return act(asking, target, job)
        except Ended as ended:
            return ended.result

    def _deployment(self, target: str) -> str:
        return f"/apis/apps/v1/namespaces/{quote(self.namespace, safe='')}/deployments/{quote(target, safe='')}"

    def _restart(self, asking: Asking, target: str, job: Job) -> Result:
        # A pod template that differs is rolled out; the same one again is no change.
        patch = {"spec": {"template": {"metadata": {"annotations": {_KEY: job.key}}}}}
        answer = asking.change("PATCH", self._deployment(target), patch, _STRATEGIC)
        if answer.ok and document(answer).get("spec", {}).get("paused"):
            return Result(Verdict.FAILED, "is paused: it rolls only when it is resumed")
        return settled(answer, "rolled")

    def _scale_out(self, asking: Asking, target: str, job: Job) -> Result:
        for _ in range(_TRIES):
            held = asking.get(self._deployment(target))
            metadata, replicas = held["metadata"], int(held["spec"].get("replicas", 1))
            if metadata.get("annotations", {}).get(_KEY) == job.key:
                return Result(Verdict.DONE, f"already has {replicas} replicas by this action")
            wanted = min(replicas + self.by, self.most)
            if wanted <= replicas:
                return Result(Verdict.FAILED, f"has {replicas} replicas, and at most {self.most} are allowed")
            # The version makes the server refuse the change if somebody else was faster.
            own = {"resourceVersion": metadata["resourceVersion"], "annotations": {_KEY: job.key}}
            patch = {"metadata": own, "spec": {"replicas": wanted}}
            answer = asking.change("PATCH", self._deployment(target), patch, _MERGE)
            if answer.status != 409:
                return settled(answer, f"from {replicas} to {wanted} replicas")
        return Result(Verdict.FAILED, f"somebody else changed the deployment {_TRIES} times meanwhile")

    def _drain(self, asking: Asking, target: str, _job: Job) -> Result:
        node = quote(target, safe="")
        cordoned = asking.change("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}}, _MERGE)
        if not cordoned.ok:
            return settled(cordoned, "")
        evicted = 0
        while True:
            pods = asking.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")["items"]
            left = [pod["metadata"] for pod in pods if _movable(pod)]
            if not left:
                return Result(Verdict.DONE, f"cordoned, {evicted} pods evicted, {len(pods)} left in place")
            why = "they end"
            # One that its disruption budget holds back keeps no other: all are asked for in every round.
            for pod in left:
                if "deletionTimestamp" in pod:
                    continue
                answer = _evict(asking, pod["namespace"], pod["name"])
                if answer.ok:
                    evicted += 1
                elif answer.passing:
                    why = f"{pod['namespace']}/{pod['name']}: {told(answer)}"
                elif answer.status != _GONE:
                    return settled(answer, "")
            asking.pause(_PAUSE, self.pause, f"cordoned, {evicted} pods evicted, {len(left)} not gone: {why}")

    def _migrate(self, asking: Asking, target: str, job: Job) -> Result:
        waited = False
        while True:
            answer = _evict(asking, self.namespace, target)
            if answer.status == _GONE and (waited or job.attempt > 1):
                return Result(Verdict.DONE, "is gone")
            if answer.status != _HELD:
                return settled(answer, "evicted")
            waited = True
            asking.pause(_PAUSE, self.pause, told(answer))


def _evict(asking: Asking, namespace: str, pod: str) -> Answer:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/eviction"
    return asking.change("POST", path, eviction)


def _movable(pod: dict[str, Any]) -> bool:
    metadata = pod["metadata"]
    by_daemon = any(owner.get("kind") == "DaemonSet" for owner in metadata.get("ownerReferences", ()))
    mirror = "kubernetes.io/config.mirror" in metadata.get("annotations", {})
    over = pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
    return not (by_daemon or mirror or over)
