"""What the Kubernetes executor does, with a real API server."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import pytest
from tests.support.kubernetes import ApiServer
from tests.support.kubernetes_rig import KEY, SHOP, Named, deployment, pod, run
from tests.support.receivers import HttpReceiver, Received, Reply, http_receiver

from snowshed.consumers.actions.executors.base import Result, Verdict
from snowshed.consumers.outward.http import Endpoint, Request

pytestmark = pytest.mark.kubernetes

_PASSED = ("Authorization", "Accept", "Content-Type")


def budget(server: ApiServer, name: str, app: str, allowed: int) -> None:
    """A disruption budget, with the status that its controller would give it."""
    server.create(
        "PodDisruptionBudget", name, SHOP, spec={"minAvailable": 1, "selector": {"matchLabels": {"app": app}}}
    )
    allow(server, name, allowed)


def allow(server: ApiServer, name: str, allowed: int) -> None:
    status = {"observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": 1 + allowed}
    more = {"desiredHealthy": 1, "expectedPods": 1 + allowed}
    server.change("PodDisruptionBudget", name, SHOP, part="status", status={**status, **more})


def pods_left(server: ApiServer, *names: str) -> set[str]:
    return {name for name in names if server.exists("Pod", name, SHOP)}


# Restart


def test_a_restart_changes_the_template_once_for_a_key(server: ApiServer, executor: Named) -> None:
    deployment(server, "rolled")
    restart = executor("restart", "rolled")
    assert run(restart) == Result(Verdict.DONE, "rolled")
    first = server.get("Deployment", "rolled", SHOP)
    assert first["spec"]["template"]["metadata"]["annotations"] == {KEY: "k1"}
    assert first["spec"]["template"]["metadata"]["labels"] == {"app": "rolled"}, "what else is declared stays"
    assert first["metadata"]["generation"] == 2
    assert run(restart) == Result(Verdict.DONE, "rolled")
    assert server.get("Deployment", "rolled", SHOP)["metadata"] == first["metadata"], "nothing was changed"
    assert run(restart, "k2") == Result(Verdict.DONE, "rolled")
    assert server.get("Deployment", "rolled", SHOP)["metadata"]["generation"] == 3


def test_a_paused_deployment_is_not_taken_for_a_rolled_one(server: ApiServer, executor: Named) -> None:
    deployment(server, "paused", paused=True)
    assert run(executor("restart", "paused")) == Result(Verdict.FAILED, "is paused: it rolls only when it is resumed")


# Scale out


def test_replicas_are_added_once_for_a_key_and_never_beyond_the_most(server: ApiServer, executor: Named) -> None:
    deployment(server, "scaled")
    scale = executor("scale_out", "scaled", by=2, most=5)
    assert run(scale) == Result(Verdict.DONE, "from 2 to 4 replicas")
    assert run(scale, attempt=2) == Result(Verdict.DONE, "already has 4 replicas by this action")
    assert run(scale, "k2") == Result(Verdict.DONE, "from 4 to 5 replicas")
    assert run(scale, "k3") == Result(Verdict.FAILED, "has 5 replicas, and at most 5 are allowed")
    assert server.get("Deployment", "scaled", SHOP)["spec"]["replicas"] == 5


@pytest.fixture
def between(server: ApiServer) -> Generator[HttpReceiver]:
    """A way to the server on which a test may act between two requests."""
    with http_receiver() as way:
        way.answer = lambda request: passed(server, request)
        yield way


def passed(server: ApiServer, request: Received) -> Reply:
    headers = {name: text for name, text in request.headers.items() if name in _PASSED}
    answer = server.send(Request(request.method, request.path, request.body, headers))
    return Reply(answer.status, answer.body)


@pytest.mark.parametrize(("others", "expected"), [(2, Verdict.DONE), (5, Verdict.FAILED)])
def test_a_change_of_somebody_else_in_between_is_kept_and_counted_from(
    server: ApiServer, executor: Named, between: HttpReceiver, others: int, expected: Verdict
) -> None:
    name = f"contended-{others}"
    deployment(server, name)
    left = list(range(others))
    conflicts: list[int] = []

    def overtaken(request: Received) -> Reply:
        reply = passed(server, request)
        if request.method == "GET" and left:
            left.pop()
            replicas = server.get("Deployment", name, SHOP)["spec"]["replicas"]
            server.change("Deployment", name, SHOP, spec={"replicas": replicas + 1})
        if reply.status == 409:
            conflicts.append(reply.status)
        return reply

    between.answer = overtaken
    scale = replace(executor("scale_out", name, by=2, most=20), endpoint=Endpoint(between.url))
    result = run(scale)
    assert (result.verdict, len(conflicts)) == (expected, others)
    after = server.get("Deployment", name, SHOP)
    assert after["spec"]["replicas"] == 2 + others + (2 if expected is Verdict.DONE else 0)
    assert (KEY in after["metadata"].get("annotations", {})) is (expected is Verdict.DONE)


# Drain and migrate


def test_a_node_is_cordoned_and_emptied_of_all_but_daemons_and_mirrors(server: ApiServer, executor: Named) -> None:
    server.create("Node", "emptied")
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "logs", "uid": "1", "controller": True}
    pod(server, "web-1", "emptied")
    pod(server, "web-2", "emptied")
    pod(server, "daemon", "emptied", ownerReferences=[owner])
    pod(server, "mirror", "emptied", annotations={"kubernetes.io/config.mirror": "x"})
    pod(server, "over", "emptied")
    server.change("Pod", "over", SHOP, part="status", status={"phase": "Succeeded"})
    pod(server, "elsewhere")
    result = run(executor("drain", "emptied"))
    assert result == Result(Verdict.DONE, "cordoned, 2 pods evicted, 3 left in place")
    assert server.get("Node", "emptied")["spec"]["unschedulable"] is True
    kept = {"daemon", "mirror", "over", "elsewhere"}
    assert pods_left(server, "web-1", "web-2", *kept) == kept
    again = run(executor("drain", "emptied"), attempt=2)
    assert again == Result(Verdict.DONE, "cordoned, 0 pods evicted, 3 left in place")


def test_a_node_is_empty_only_when_its_pods_have_ended(server: ApiServer, executor: Named) -> None:
    server.create("Node", "slow")
    pod(server, "slow", "slow", grace=30)
    path = server.path("Pod", "slow", SHOP)
    seen: list[bool] = []

    def kubelet(_: float) -> None:
        seen.append("deletionTimestamp" in server.get("Pod", "slow", SHOP)["metadata"])
        if len(seen) == 2:
            server.ask("DELETE", path, {"gracePeriodSeconds": 0})

    result = run(replace(executor("drain", "slow"), pause=kubelet))
    assert result == Result(Verdict.DONE, "cordoned, 1 pods evicted, 0 left in place")
    assert seen == [True, True]


def test_a_disruption_budget_is_waited_for_and_obeyed_until_the_time_is_over(
    server: ApiServer, executor: Named
) -> None:
    server.create("Node", "guarded")
    budget(server, "guarded", "guarded", 0)
    pod(server, "guarded-1", "guarded", labels={"app": "guarded"})
    pod(server, "unguarded", "guarded")
    why = "HTTP 429: Cannot evict pod as it would violate the pod's disruption budget."
    for do, target, told in (
        ("drain", "guarded", f"cordoned, 1 pods evicted, 1 not gone: shop/guarded-1: {why}"),
        ("migrate", "guarded-1", why),
    ):
        assert run(executor(do, target), timeout=3.0) == Result(Verdict.FAILED, f"not done within 3 s: {told}")
        assert pods_left(server, "guarded-1", "unguarded") == {"guarded-1"}, "the budget keeps its own pod alone"
    waits: list[float] = []

    def controller(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            allow(server, "guarded", 1)

    result = run(replace(executor("migrate", "guarded-1"), pause=controller))
    assert (result, len(waits)) == (Result(Verdict.DONE, "evicted"), 2)
    assert not pods_left(server, "guarded-1")
    assert server.get("PodDisruptionBudget", "guarded", SHOP)["status"]["disruptionsAllowed"] == 0


def test_a_pod_that_two_budgets_cover_keeps_no_other_and_is_told(server: ApiServer, executor: Named) -> None:
    server.create("Node", "twice")
    for name in ("twice-a", "twice-b"):
        budget(server, name, "twice", 1)
    pod(server, "twice", "twice", labels={"app": "twice"})
    pod(server, "twice-free", "twice")
    result = run(executor("drain", "twice"), timeout=3.0)
    assert result.verdict is Verdict.FAILED
    assert (
        "1 pods evicted, 1 not gone: shop/twice: HTTP 500: This pod has more than one PodDisruptionBudget"
        in result.output
    )
    assert pods_left(server, "twice", "twice-free") == {"twice"}


def test_a_pod_is_evicted_and_one_that_never_was_there_is_a_failure(server: ApiServer, executor: Named) -> None:
    pod(server, "moved", "somewhere")
    migrate = executor("migrate", "moved")
    assert run(migrate) == Result(Verdict.DONE, "evicted")
    assert not pods_left(server, "moved")
    assert run(migrate) == Result(Verdict.FAILED, 'HTTP 404: pods "moved" not found')
    assert run(migrate, attempt=2) == Result(Verdict.DONE, "is gone")
