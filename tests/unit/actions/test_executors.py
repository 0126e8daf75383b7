"""What each executor does, with real programs and with small servers that speak the documented APIs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.acting import VALUES, run
from tests.support.receivers import HttpReceiver, Received, Reply, http_receiver, unix_receiver

from snowshed.consumers.actions.executors.base import Executor, Result, Verdict
from snowshed.consumers.actions.executors.command import Command
from snowshed.consumers.actions.executors.docker import Docker
from snowshed.consumers.actions.executors.kubernetes import Kubernetes
from snowshed.consumers.actions.executors.systemd import Systemd
from snowshed.consumers.actions.executors.webhook import WebhookCall
from snowshed.consumers.actions.values import Unfit, filled
from snowshed.consumers.outward.http import Endpoint
from snowshed.consumers.outward.secret import Secret
from snowshed.consumers.outward.signing import verified
from snowshed.schemas.records import ActionKind


@pytest.fixture
def server() -> Generator[HttpReceiver]:
    with http_receiver() as found:
        yield found


# Commands


def test_a_command_gets_its_arguments_its_key_and_none_of_our_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNOWSHED_KAFKA__SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("PASSED", "yes")
    file = tmp_path / "out"
    script = f'echo "$$0 $$1"; env > {file}'
    result = run(Command(("sh", "-c", script, "restart", "$service"), ("PASSED",)))
    assert result == Result(Verdict.DONE, "exit code 0; restart payments")
    variables = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    assert variables["SNOWSHED_ACTION"] == "k1"
    assert variables["SNOWSHED_SERVICE"] == "payments"
    assert variables["PASSED"] == "yes"
    assert "hunter2" not in file.read_text()


def test_a_command_that_fails_says_how() -> None:
    result = run(Command(("sh", "-c", "echo no luck >&2; exit 3")))
    assert result == Result(Verdict.FAILED, "exit code 3; no luck")
    assert run(Command(("no-such-program",))).verdict is Verdict.FAILED


def test_a_command_whose_time_is_over_is_killed_with_all_it_started(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    script = f"trap '' TERM; sleep 60 & echo $$$$ $$! > {file}; wait"
    started = time.monotonic()
    result = run(Command(("sh", "-c", script)), timeout=0.3)
    assert result.verdict is Verdict.FAILED
    assert "killed after 0.3 s" in result.output
    assert time.monotonic() - started < 10.0
    for pid in file.read_text().split():
        assert not alive(int(pid))


def alive(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    return True


def test_a_value_is_one_argument_and_never_an_option_or_a_command() -> None:
    for evil in ("x; rm -rf /", "--force", "$(id)", "a b", "a\nb", "../../etc", "é", ""):
        with pytest.raises(Unfit):
            Command(("restart", "$service")).describe({"service": evil})
    assert Command(("restart", "unit-$service")).describe(VALUES) == "restart unit-payments"
    assert filled("$$5 for $service", VALUES) == "$5 for payments"


# systemd


def test_systemd_is_told_by_systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "systemctl"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    unit = Systemd(ActionKind.RESTART, "$service.service", host="root@$node")
    assert unit.describe(VALUES) == "systemctl --host root@n1 restart payments.service"
    assert run(unit) == Result(Verdict.DONE, "exit code 0; --host root@n1 restart payments.service")
    assert run(Systemd(ActionKind.DRAIN, "web@2")).output == "exit code 0; stop web@2"


# Webhooks


def test_a_webhook_is_signed_and_carries_the_key(server: HttpReceiver) -> None:
    call = WebhookCall(
        ActionKind.PROMOTE_REPLICA, Endpoint(f"{server.url}/do"), {"to": "$node"}, Secret("s"), wall=lambda: 100.0
    )
    assert call.describe(VALUES) == f"promote_replica at {server.url} to=n1"
    assert run(call).verdict is Verdict.DONE
    [request] = server.received
    assert request.path == "/do"
    assert request.headers["Idempotency-Key"] == "k1"
    assert request.json["parameters"] == {"to": "n1"}
    assert verified(Secret("s"), request.body, request.headers["X-Snowshed-Signature"], now=100.0)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(202, Verdict.DONE), (404, Verdict.FAILED), (429, Verdict.FAILED), (500, Verdict.UNKNOWN)],
)
def test_an_error_inside_the_server_may_have_come_after_the_change(
    server: HttpReceiver, status: int, verdict: Verdict
) -> None:
    server.replies = [Reply(status, b"words")]
    result = run(WebhookCall(ActionKind.CUSTOM, Endpoint(server.url), {}))
    assert (result.verdict, f"HTTP {status}: words" in result.output) == (verdict, True)


def test_an_answer_that_does_not_come_leaves_the_action_unknown_and_no_connection_leaves_it_undone(
    server: HttpReceiver,
) -> None:
    release = threading.Event()

    def late(_: Received) -> Reply:
        release.wait(5)
        return Reply()

    server.answer = late
    result = run(WebhookCall(ActionKind.CUSTOM, Endpoint(server.url), {}), timeout=0.2)
    release.set()
    assert result.verdict is Verdict.UNKNOWN
    assert run(WebhookCall(ActionKind.CUSTOM, Endpoint("http://127.0.0.1:1"), {})).verdict is Verdict.FAILED


# Kubernetes


class Cluster:
    """As much of the API server as is asked for: one deployment, one node, its pods."""

    def __init__(self, server: HttpReceiver) -> None:
        self.version, self.replicas, self.annotations = 1, 2, dict[str, str]()
        self.template: dict[str, Any] = {}
        self.unschedulable = self.paused = False
        self.conflicts = 0
        self.refused_evictions = 0
        self.held: dict[str, tuple[int, object]] = {}
        self.pods = {
            "web": _pod("web"),
            "log": _pod("log", ownerReferences=[{"kind": "DaemonSet"}]),
            "static": _pod("static", annotations={"kubernetes.io/config.mirror": "x"}),
        }
        server.answer = self.answer

    def answer(self, request: Received) -> Reply:
        path = request.path.partition("?")[0]
        if request.headers.get("Authorization") != "Bearer t0k":
            return Reply(401, {"kind": "Status"})
        if path == "/apis/apps/v1/namespaces/shop/deployments/payments":
            return self._deployment(request)
        if path == "/api/v1/nodes/n1" and request.method == "PATCH":
            self.unschedulable = request.json["spec"]["unschedulable"]
            return Reply(200, {})
        if path == "/api/v1/pods":
            assert request.path.endswith("?fieldSelector=spec.nodeName%3Dn1")
            return Reply(200, {"items": [*self.pods.values()]})
        if path.endswith("/eviction"):
            return self._eviction(request, path.split("/")[-2])
        return Reply(404, {"kind": "Status"})

    def _deployment(self, request: Received) -> Reply:
        if request.method == "PATCH":
            patch = request.json
            if request.headers["Content-Type"] == "application/strategic-merge-patch+json":
                self.template |= patch["spec"]["template"]["metadata"]["annotations"]
                return Reply(200, {"spec": {"paused": True} if self.paused else {}})
            if self.conflicts or patch["metadata"]["resourceVersion"] != str(self.version):
                self.conflicts -= 1
                self.version += 1
                return Reply(409, {"reason": "Conflict"})
            self.annotations |= patch["metadata"]["annotations"]
            self.replicas, self.version = patch["spec"]["replicas"], self.version + 1
        metadata = {"resourceVersion": str(self.version), "annotations": self.annotations}
        return Reply(200, {"metadata": metadata, "spec": {"replicas": self.replicas}})

    def _eviction(self, request: Received, pod: str) -> Reply:
        assert request.json["kind"] == "Eviction"
        if self.refused_evictions:
            self.refused_evictions -= 1
            return Reply(429, {"metadata": {}, "message": "would violate the disruption budget"})
        if pod in self.held:
            return Reply(*self.held[pod])
        return Reply(201 if self.pods.pop(pod, None) else 404, {"message": f'pods "{pod}" not found'})


def _pod(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", **metadata}, "status": {"phase": "Running"}}


def kubernetes(server: HttpReceiver, kind: ActionKind, target: str = "$service", **more: Any) -> Kubernetes:
    return Kubernetes(
        kind=kind,
        endpoint=Endpoint(server.url),
        token=Secret("t0k"),
        namespace="shop",
        target=target,
        pause=lambda _: None,
        **more,
    )


def test_a_deployment_is_rolled_once_for_a_key(server: HttpReceiver) -> None:
    cluster = Cluster(server)
    executor = kubernetes(server, ActionKind.RESTART)
    assert [run(executor).verdict, run(executor).verdict] == [Verdict.DONE] * 2
    assert cluster.template == {"snowshed.io/action": "k1"}


def test_replicas_are_added_once_for_a_key_up_to_the_most_and_never_over_a_change_of_others(
    server: HttpReceiver,
) -> None:
    cluster = Cluster(server)
    cluster.conflicts = 1
    executor = kubernetes(server, ActionKind.SCALE_OUT, by=2, most=5)
    assert run(executor) == Result(Verdict.DONE, "from 2 to 4 replicas")
    assert run(executor) == Result(Verdict.DONE, "already has 4 replicas by this action")
    assert run(executor, key="k2") == Result(Verdict.DONE, "from 4 to 5 replicas")
    assert run(executor, key="k3").verdict is Verdict.FAILED
    assert cluster.replicas == 5


def test_a_node_is_cordoned_and_emptied_of_what_can_move(server: HttpReceiver) -> None:
    cluster = Cluster(server)
    cluster.refused_evictions = 2
    result = run(kubernetes(server, ActionKind.DRAIN, "$node"))
    assert result == Result(Verdict.DONE, "cordoned, 1 pods evicted, 2 left in place")
    assert cluster.unschedulable
    assert set(cluster.pods) == {"log", "static"}


def test_a_pod_that_is_held_back_keeps_no_other_on_the_node(server: HttpReceiver) -> None:
    cluster = Cluster(server)
    cluster.pods = {"first": _pod("first"), **cluster.pods}
    cluster.held = {"first": (429, {"message": "would violate the disruption budget"})}
    result = run(replace(kubernetes(server, ActionKind.DRAIN, "$node"), pause=time.sleep), timeout=2.0)
    why = "cordoned, 1 pods evicted, 1 not gone: shop/first: HTTP 429: would violate the disruption budget"
    assert result == Result(Verdict.FAILED, f"not done within 2 s: {why}")
    assert set(cluster.pods) == {"first", "log", "static"}
    cluster.held = {"first": (403, {"message": "forbidden"})}
    assert run(kubernetes(server, ActionKind.DRAIN, "$node")) == Result(Verdict.FAILED, "HTTP 403: forbidden")


def test_a_node_is_empty_when_its_pods_have_ended(server: HttpReceiver) -> None:
    cluster = Cluster(server)
    cluster.pods["web"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    rounds: list[float] = []

    def pause(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 3:
            del cluster.pods["web"]

    result = run(replace(kubernetes(server, ActionKind.DRAIN, "$node"), pause=pause))
    assert result == Result(Verdict.DONE, "cordoned, 0 pods evicted, 2 left in place")
    assert len(rounds) == 3
    assert not any(request.path.endswith("/eviction") for request in server.received)


def test_an_eviction_that_a_disruption_budget_forbids_ends_with_the_time(server: HttpReceiver) -> None:
    cluster = Cluster(server)
    cluster.refused_evictions = 1_000_000
    result = run(replace(kubernetes(server, ActionKind.MIGRATE, "web"), pause=time.sleep), timeout=1.0)
    why = "HTTP 429: would violate the disruption budget"
    assert result == Result(Verdict.FAILED, f"not done within 1 s: {why}")


def test_a_pod_that_is_not_there_was_evicted_only_if_an_earlier_run_may_have_done_it(server: HttpReceiver) -> None:
    Cluster(server)
    executor = kubernetes(server, ActionKind.MIGRATE, "other")
    assert run(executor) == Result(Verdict.FAILED, 'HTTP 404: pods "other" not found')
    assert run(executor, attempt=2) == Result(Verdict.DONE, "is gone")


def test_a_deployment_that_is_paused_does_not_roll(server: HttpReceiver) -> None:
    Cluster(server).paused = True
    result = run(kubernetes(server, ActionKind.RESTART))
    assert result == Result(Verdict.FAILED, "is paused: it rolls only when it is resumed")


def test_a_cluster_that_refuses_says_why(server: HttpReceiver) -> None:
    Cluster(server)
    unknown = run(kubernetes(server, ActionKind.RESTART, "other"))
    assert unknown.verdict is Verdict.FAILED
    assert unknown.output == 'HTTP 404: {"kind": "Status"}'
    assert "t0k" not in repr(kubernetes(server, ActionKind.RESTART))


def test_a_refusal_is_told_by_its_message_however_much_stands_before_it(server: HttpReceiver) -> None:
    message = "deployments.apps is forbidden: " + "x" * 300
    server.replies = [Reply(403, {"kind": "Status", "metadata": {"x": "y" * 300}, "message": message})] * 2
    for kind in (ActionKind.RESTART, ActionKind.SCALE_OUT):
        assert message in run(kubernetes(server, kind)).output


def test_an_answer_that_is_no_json_has_changed_nothing_and_says_so(server: HttpReceiver) -> None:
    server.replies = [Reply(200, b"<html>a proxy's page</html>")]
    result = run(kubernetes(server, ActionKind.SCALE_OUT, by=1, most=5))
    assert (result.verdict, "no JSON in the answer" in result.output) == (Verdict.FAILED, True)


# Docker


class Engine:
    """As much of the engine as is asked for: a container, a service and a node of a swarm."""

    def __init__(self, server: HttpReceiver) -> None:
        self.restarts: list[str] = []
        self.service: dict[str, Any] = {"Name": "payments", "Mode": {"Replicated": {"Replicas": 2}}, "Labels": {}}
        self.node: dict[str, Any] = {"Role": "worker", "Availability": "active"}
        self.version = 7
        server.answer = self.answer

    def answer(self, request: Received) -> Reply:
        if request.path == "/containers/payments/json":
            return Reply(200, {"Id": "c1", "Name": "/payments"})
        if request.path.startswith("/containers/c1/restart"):
            self.restarts.append(request.path)
            return Reply(204, b"")
        for path, name in (("/services/payments", "service"), ("/nodes/n1", "node")):
            if request.path == path:
                about = {"ID": "i1", "Version": {"Index": self.version}, "Description": {"Hostname": "n1"}}
                return Reply(200, {**about, "Spec": getattr(self, name)})
            if request.path.startswith(f"{path}/update?version="):
                if request.path != f"{path}/update?version={self.version}":
                    return Reply(500, {"message": "rpc error: update out of sequence"})
                setattr(self, name, request.json)
                self.version += 1
                return Reply(200, {})
        return Reply(404, {"message": "no such thing"})


def docker(server: HttpReceiver, kind: ActionKind, target: str = "$service", **more: Any) -> Docker:
    return Docker(kind=kind, endpoint=Endpoint(server.url), target=target, **more)


def test_a_container_is_restarted_over_the_engines_socket(tmp_path: Path) -> None:
    with unix_receiver(tmp_path / "docker.sock") as server:
        engine = Engine(server)
        executor = docker(server, ActionKind.RESTART)
        assert executor.describe(VALUES) == f"restart container payments at {tmp_path}/docker.sock"
        assert run(executor) == Result(Verdict.DONE, "restarted")
        assert engine.restarts == ["/containers/c1/restart"], "it decides itself how long it may take to stop"
        assert "no such thing" in run(docker(server, ActionKind.RESTART, "other")).output
    assert run(executor).verdict is Verdict.FAILED, "nobody listens any more"


def test_a_service_of_a_swarm_gets_replicas_once_for_a_key(server: HttpReceiver) -> None:
    engine = Engine(server)
    executor = docker(server, ActionKind.SCALE_OUT, by=3, most=4)
    assert run(executor) == Result(Verdict.DONE, "from 2 to 4 replicas")
    assert run(executor) == Result(Verdict.DONE, "already has 4 replicas by this action")
    assert engine.service["Mode"]["Replicated"]["Replicas"] == 4
    assert engine.service["Name"] == "payments", "what else is declared of it stays"
    assert run(executor, key="k2").verdict is Verdict.FAILED
    engine.service["Mode"] = {"Global": {}}
    assert "runs on every node" in run(executor, key="k3").output


def test_a_change_that_somebody_else_overtook_is_made_anew(server: HttpReceiver) -> None:
    engine = Engine(server)
    plain = engine.answer

    def overtaking(request: Received) -> Reply:
        reply = plain(request)
        if request.method == "GET" and engine.version == 7:
            engine.version = 8
        return reply

    server.answer = overtaking
    assert run(docker(server, ActionKind.DRAIN, "$node")) == Result(Verdict.DONE, "drained")
    assert engine.node == {"Role": "worker", "Availability": "drain"}


def test_every_executor_says_what_it_would_do_without_doing_it(server: HttpReceiver) -> None:
    executors: Mapping[str, Executor] = {
        "command": Command(("true",)),
        "systemd": Systemd(ActionKind.RESTART, "x"),
        "webhook": WebhookCall(ActionKind.CUSTOM, Endpoint(server.url), {}),
        "kubernetes": kubernetes(server, ActionKind.DRAIN),
        "docker": docker(server, ActionKind.DRAIN),
    }
    for name, executor in executors.items():
        assert executor.name == name
        assert executor.describe(VALUES)
    assert server.received == []
