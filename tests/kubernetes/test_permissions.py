"""What the Kubernetes executor may do with the documented roles, and how it is refused, with a real API server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import make_certificates
from tests.support.core_rig import wait_until
from tests.support.kubernetes import ApiServer
from tests.support.kubernetes_rig import NEEDED, SHOP, Named, deployment, granted, of_runbook, pod, run

from snowshed.consumers.actions.executors.base import Result, Verdict
from snowshed.consumers.outward.http import Endpoint

pytestmark = pytest.mark.kubernetes


@pytest.mark.parametrize(
    ("do", "target", "said"),
    [
        ("restart", "no-such", 'HTTP 404: deployments.apps "no-such" not found'),
        ("scale_out", "no-such", 'deployments/no-such: HTTP 404: deployments.apps "no-such" not found'),
        ("migrate", "no-such", 'HTTP 404: pods "no-such" not found'),
        ("drain", "no-such", 'HTTP 404: nodes "no-such" not found'),
    ],
)
def test_what_is_not_there_is_a_failure_that_names_it(executor: Named, do: str, target: str, said: str) -> None:
    result = run(executor(do, target))
    assert (result.verdict, said in result.output) == (Verdict.FAILED, True), result.output


def test_a_namespace_that_grants_nothing_or_is_not_there_is_a_failure_that_names_it(executor: Named) -> None:
    for namespace in ("snowshed", "no-such-namespace"):
        for do in ("restart", "scale_out"):
            result = run(executor(do, "web", namespace=namespace))
            assert result.verdict is Verdict.FAILED
            assert "HTTP 403" in result.output
            assert f'in the namespace "{namespace}"' in result.output


def without(rules: list[dict[str, Any]], resource: str, verb: str) -> list[dict[str, Any]]:
    kept = [
        {**rule, "verbs": [one for one in rule["verbs"] if (resource, verb) != (rule["resources"][0], one)]}
        for rule in rules
    ]
    return [rule for rule in kept if rule["verbs"]]


@pytest.mark.parametrize(
    ("resource", "verb", "do"),
    [
        ("deployments", "get", "scale_out"),
        ("deployments", "patch", "scale_out"),
        ("deployments", "patch", "restart"),
        ("pods/eviction", "create", "migrate"),
        ("nodes", "patch", "drain"),
        ("pods", "list", "drain"),
        ("pods/eviction", "create", "drain"),
    ],
)
def test_each_permission_is_needed_and_its_lack_is_told(
    server: ApiServer, executor: Named, resource: str, verb: str, do: str
) -> None:
    name = f"lacks-{verb}-{resource.replace('/', '-')}-{do.replace('_', '-')}"
    deployment(server, name)
    server.create("Node", name)
    pod(server, name, name)
    role, documented, space = (
        ("ClusterRole", "snowshed-drain", "") if do == "drain" else ("Role", "snowshed-actions", SHOP)
    )
    rules = server.get(role, documented, space)["rules"]
    server.create("ServiceAccount", name, "snowshed")
    server.create(role, name, space, rules=without(rules, resource, verb))
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "snowshed"}
    server.create(f"{role}Binding", name, space, roleRef=reference, subjects=[subject])
    for needed_verb, needed, group, namespace in NEEDED:
        if namespace == space and (needed, needed_verb) != (resource, verb):
            granted(server, f"snowshed:{name}", needed_verb, needed, group, namespace)
    result = run(executor(do, name, account=f"snowshed:{name}"))
    assert result.verdict is Verdict.FAILED
    assert "HTTP 403" in result.output
    assert f'User "system:serviceaccount:snowshed:{name}" cannot {verb} resource "{resource}"' in result.output
    assert run(executor(do, name)).verdict is Verdict.DONE, "all permissions do"


def test_a_wrong_token_is_refused(server: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("wrong")
    for do in ("restart", "scale_out", "drain", "migrate"):
        result = run(of_runbook(server, do, "web", f"file:{tmp_path / 'token'}"))
        assert (result.verdict, "HTTP 401: Unauthorized" in result.output) == (Verdict.FAILED, True)


def test_a_token_that_ended_is_followed_by_the_one_that_stands_in_the_file_now(
    server: ApiServer, tmp_path: Path
) -> None:
    deployment(server, "renewed")
    uid = server.create("Secret", "holder", SHOP)["metadata"]["uid"]
    bound = {"kind": "Secret", "apiVersion": "v1", "name": "holder", "uid": uid}
    server.create("ServiceAccount", "short", SHOP)
    file = tmp_path / "token"
    file.write_text(server.token("short", SHOP, bound))
    restart = of_runbook(server, "restart", "renewed", f"file:{file}")
    assert "HTTP 403" in run(restart).output, "it is known, and permitted nothing"
    server.ask("DELETE", server.path("Secret", "holder", SHOP))
    wait_until(lambda: "HTTP 401" in run(restart).output, what="the token ends with what it is bound to")
    file.write_text(server.token("snowshed-actions", "snowshed"))
    assert run(restart) == Result(Verdict.DONE, "rolled")


def test_a_server_that_another_authority_signed_is_refused_before_it_sees_the_token(
    server: ApiServer, executor: Named, tmp_path: Path
) -> None:
    make_certificates(tmp_path)
    for authority in (str(tmp_path / "ca.pem"), ""):
        more = {"ca": authority} if authority else {}
        built = executor("restart", "web", **more)
        result = run(built if authority else replace(built, endpoint=Endpoint(server.url)))
        assert result.verdict is Verdict.FAILED
        assert "certificate verify failed" in result.output
