"""What the executor for Docker does to a real engine and a real swarm of one node."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from tests.support.acting import run
from tests.support.core_rig import wait_until
from tests.support.receivers import Received, Reply, unix_receiver
from tests.support.swarm import SwarmEngine, swarm_engine

from snowshed.consumers.actions.executors.base import Result, Verdict
from snowshed.consumers.actions.executors.docker import Docker
from snowshed.consumers.outward.http import Endpoint, Request
from snowshed.schemas.records import ActionKind

pytestmark = pytest.mark.container


@pytest.fixture(scope="module")
def engine() -> Generator[SwarmEngine]:
    with swarm_engine() as found:
        yield found


@pytest.fixture
def name(prefix: str) -> str:
    """What a container or service of this test is called; a swarm takes at most 63 characters."""
    return f"svc_{prefix[-20:]}"


def docker(url: str, kind: ActionKind, target: str, *, by: int = 1, most: int = 10) -> Docker:
    return Docker(kind=kind, endpoint=Endpoint(url), target=target, by=by, most=most)


# Containers


def test_a_container_runs_anew_and_its_neighbour_goes_on(engine: SwarmEngine, name: str) -> None:
    container, neighbour = engine.run(f"{name}.v-1"), engine.run(f"{name}.v-10")
    before, beside = engine.process(container), engine.process(neighbour)
    restart = docker(engine.url, ActionKind.RESTART, "$service.v-1")
    assert run(restart, service=name) == Result(Verdict.DONE, "restarted")
    after = engine.process(container)
    assert after[0] not in {0, before[0]}
    assert after[1] > before[1]
    assert engine.process(neighbour) == beside


def test_a_container_that_is_not_there_is_a_failure_in_the_engines_words(engine: SwarmEngine, name: str) -> None:
    result = run(docker(engine.url, ActionKind.RESTART, name))
    assert result.verdict is Verdict.FAILED
    assert f"No such container: {name}" in result.output


@pytest.mark.parametrize("odd", ["../containers/{}", "{}/restart", "{}?t=1", "{}#x", "{}%2f", "{} ", " {}", "{}é", "*"])
def test_a_target_is_one_name_however_it_is_written(engine: SwarmEngine, name: str, odd: str) -> None:
    container = engine.run(name)
    before = engine.process(container)
    assert run(docker(engine.url, ActionKind.RESTART, odd.format(name))).verdict is Verdict.FAILED
    assert engine.process(container) == before


def test_the_beginning_of_an_id_is_not_taken_for_a_name(engine: SwarmEngine, name: str) -> None:
    container = engine.run(name)
    before = engine.process(container)
    result = run(docker(engine.url, ActionKind.RESTART, "$service"), service=container[:12])
    assert result.verdict is Verdict.FAILED
    assert f"nothing called {container[:12]}" in result.output
    assert engine.process(container) == before
    assert run(docker(engine.url, ActionKind.RESTART, container)).verdict is Verdict.DONE


def test_a_container_that_stops_for_longer_than_the_action_lasts_is_restarted_all_the_same_so_nobody_knows(
    engine: SwarmEngine, name: str
) -> None:
    container = engine.run(name, signal="TERM", patience=2)
    before = engine.process(container)
    result = run(docker(engine.url, ActionKind.RESTART, name), timeout=0.5)
    assert result.verdict is Verdict.UNKNOWN

    def again() -> bool:
        pid, started = engine.process(container)
        return pid != 0 and started != before[1]

    wait_until(again, 60, what="the engine restarts it without us")


# Services


def test_a_service_gets_replicas_once_for_a_key_and_never_more_than_the_most(engine: SwarmEngine, name: str) -> None:
    engine.serve(name, {"Replicated": {"Replicas": 1}}, labels={"owner": "shop"})
    declared = engine.service(name)["Spec"]
    more = docker(engine.url, ActionKind.SCALE_OUT, "$service", by=2, most=4)
    assert run(more, service=name) == Result(Verdict.DONE, "from 1 to 3 replicas")
    held = engine.service(name)["Spec"]
    assert run(more, service=name) == Result(Verdict.DONE, "already has 3 replicas by this action")
    assert engine.service(name)["Spec"] == held
    wait_until(lambda: engine.running(name) == 3, 60, what="three replicas run")
    assert run(more, service=name, key="k2") == Result(Verdict.DONE, "from 3 to 4 replicas")
    refused = run(more, service=name, key="k3")
    assert refused == Result(Verdict.FAILED, "has 4 replicas, and at most 4 are allowed")
    spec = engine.service(name)["Spec"]
    assert spec["Mode"] == {"Replicated": {"Replicas": 4}}
    assert spec["Labels"]["owner"] == "shop"
    assert spec["TaskTemplate"] == declared["TaskTemplate"]


def test_a_change_between_reading_and_writing_is_kept_and_ours_made_anew(
    engine: SwarmEngine, name: str, tmp_path: Path
) -> None:
    engine.serve(name, {"Replicated": {"Replicas": 1}})
    statuses: list[int] = []

    def relayed(request: Received) -> Reply:
        asked = Request(request.method, request.path, request.body, {"Content-Type": "application/json"})
        answer = Endpoint(engine.url).ask(asked, whole=True)
        if request.method == "GET" and not statuses:
            engine.label(name, somebody="else")
        if request.method == "POST":
            statuses.append(answer.status)
        return Reply(answer.status, answer.body)

    with unix_receiver(tmp_path / "relay.sock") as relay:
        relay.answer = relayed
        result = run(docker(relay.url, ActionKind.SCALE_OUT, name))
    assert result == Result(Verdict.DONE, "from 1 to 2 replicas")
    assert statuses == [500, 200]
    assert engine.service(name)["Spec"]["Labels"] == {"somebody": "else", "snowshed.action": "k1"}


def test_a_service_of_every_node_has_no_replicas_to_add(engine: SwarmEngine, name: str) -> None:
    engine.serve(name, {"Global": {}})
    held = engine.service(name)
    result = run(docker(engine.url, ActionKind.SCALE_OUT, name))
    assert result == Result(Verdict.FAILED, "the service runs on every node and has no number of replicas")
    assert engine.service(name)["Spec"] == held["Spec"]


def test_a_service_or_node_is_not_found_by_the_beginning_of_its_id(engine: SwarmEngine, name: str) -> None:
    engine.serve(name, {"Replicated": {"Replicas": 0}})
    service, node = engine.service(name), engine.node
    # Versions and times are no evidence: the swarm itself writes both after it was asked for a service.
    for kind, found in ((ActionKind.SCALE_OUT, service), (ActionKind.DRAIN, node)):
        result = run(docker(engine.url, kind, found["ID"][:12]))
        assert (result.verdict, "nothing called" in result.output) == (Verdict.FAILED, True)
        unknown = run(docker(engine.url, kind, f"no-{name}"))
        assert (unknown.verdict, f"no-{name} not found" in unknown.output) == (Verdict.FAILED, True)
    assert engine.service(name)["Spec"] == service["Spec"]
    assert engine.node["Spec"] == node["Spec"]


# Nodes


def test_a_drained_node_has_nothing_left_to_run(engine: SwarmEngine, name: str) -> None:
    engine.serve(name, {"Replicated": {"Replicas": 2}})
    wait_until(lambda: engine.running(name) == 2, 60, what="two replicas run")
    drain = docker(engine.url, ActionKind.DRAIN, "$node")
    hostname = engine.node["Description"]["Hostname"]
    try:
        assert run(drain, node=hostname) == Result(Verdict.DONE, "drained")
        assert engine.node["Spec"]["Availability"] == "drain"
        wait_until(lambda: engine.running(name) == 0, 60, what="no replica runs")
        assert run(drain, node=hostname) == Result(Verdict.DONE, "drained")
    finally:
        engine.activate()
    wait_until(lambda: engine.running(name) == 2, 60, what="they run again")
