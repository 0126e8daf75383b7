"""What the tests of the Kubernetes executor share: executors as runbooks name them, and what they act on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.core_rig import wait_until
from tests.support.kubernetes import ApiServer

from snowshed.consumers.actions.executors.base import Job, Result
from snowshed.consumers.actions.executors.kubernetes import Kubernetes
from snowshed.consumers.actions.settings import plan_of
from snowshed.consumers.outward.table import Table

ACCOUNT = "snowshed:snowshed-actions"
KEY = "snowshed.io/action"
SHOP = "shop"
Named = Callable[..., Kubernetes]
"""Makes an executor of what to do, its target and what else its step says."""

NEEDED = (
    ("get", "deployments", "apps", SHOP),
    ("patch", "deployments", "apps", SHOP),
    ("create", "pods/eviction", "", SHOP),
    ("patch", "nodes", "", ""),
    ("list", "pods", "", ""),
    ("create", "pods/eviction", "", ""),
)


def granted(server: ApiServer, account: str, *what: str) -> None:
    wait_until(lambda: server.may(account, *what), what=f"{account} may {what}")


def of_runbook(server: ApiServer, do: str, target: str, token: str, **more: Any) -> Kubernetes:
    step = {"do": do, "with": "kubernetes", "api": server.url, "ca": str(server.ca), "token": token, "target": target}
    runbook = {"name": "r", "match": {"kind": "overload"}, "steps": [{**step, "namespace": SHOP, **more}]}
    found = plan_of(Table({"runbooks": [runbook]}, "test")).runbooks[0].steps[0].executor
    assert isinstance(found, Kubernetes)
    return found


def run(executor: Kubernetes, key: str = "k1", *, timeout: float = 30.0, attempt: int = 1) -> Result:
    return executor.run(Job(key=key, kind=executor.kind, runbook="r", values={}, timeout=timeout, attempt=attempt))


def deployment(server: ApiServer, name: str, **spec: Any) -> None:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "none"}]}}
    server.create(
        "Deployment",
        name,
        SHOP,
        spec={"replicas": 2, "selector": {"matchLabels": labels}, "template": template, **spec},
    )


def pod(server: ApiServer, name: str, node: str = "", *, grace: int = 0, **metadata: Any) -> None:
    """A pod that runs; there is no kubelet to end it, so that one with a grace period ends when the test says so."""
    spec = {"containers": [{"name": "main", "image": "none"}], "terminationGracePeriodSeconds": grace}
    server.create("Pod", name, SHOP, metadata=metadata, spec={**spec, **({"nodeName": node} if node else {})})
    ready = [{"type": "Ready", "status": "True"}]
    server.change("Pod", name, SHOP, part="status", status={"phase": "Running", "conditions": ready})
