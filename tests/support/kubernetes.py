"""A Kubernetes API server on the loopback interface, with its etcd; no kubelet, controller or scheduler."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.certificates import make_certificates
from tests.support.core_rig import wait_until
from tests.support.etcd import etcd_cluster
from tests.support.kube_program import find_kube_apiserver

from snowshed.consumers.outward.http import Answer, Endpoint, Lost, Request, Unreached
from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker import free_ports
from snowshed.streams.broker.jvm import ending_with_parent

__all__ = ["ApiServer", "api_server"]

_ADMIN = "administrator"
_START_TIMEOUT = 120.0
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "Role": f"{_RBAC}/namespaces/{{}}/roles",
    "RoleBinding": f"{_RBAC}/namespaces/{{}}/rolebindings",
    "ClusterRole": f"{_RBAC}/clusterroles",
    "ClusterRoleBinding": f"{_RBAC}/clusterrolebindings",
}


class ApiServer:
    """The server, spoken to as its administrator.

    Args:
        url: its address.
        ca: the certificate of who signed its own.
    """

    def __init__(self, url: str, ca: Path) -> None:
        self.url = url
        self.ca = ca
        self._endpoint = Endpoint(url, 30.0, ssl.create_default_context(cafile=ca))

    def send(self, request: Request) -> Answer:
        """Pass a request on as it is."""
        return self._endpoint.ask(request, whole=True)

    def ask(self, method: str, path: str, body: object = None, content: str = "application/json") -> dict[str, Any]:
        """What the server answers to its administrator; it must agree."""
        raw = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {_ADMIN}", "Accept": "application/json", "Content-Type": content}
        answer = self.send(Request(method, path, raw, headers))
        assert answer.ok, f"{method} {path}: {answer.status} {answer.body.decode()}"
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def path(self, kind: str, name: str = "", namespace: str = "") -> str:
        """Where things of a kind stand, or one of them."""
        return _COLLECTIONS[kind].format(quote(namespace)) + (f"/{quote(name)}" if name else "")

    def create(self, kind: str, name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
        """Create one thing; `metadata` needs no name."""
        body = {**more, "metadata": {"name": name, **more.get("metadata", {})}}
        return self.ask("POST", self.path(kind, namespace=namespace), body)

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
        """One thing as it stands."""
        return self.ask("GET", self.path(kind, name, namespace))

    def change(self, kind: str, name: str, namespace: str = "", *, part: str = "", **patch: object) -> dict[str, Any]:
        """Merge a patch into one thing, or into a part of it such as its status."""
        path = self.path(kind, name, namespace) + (f"/{part}" if part else "")
        return self.ask("PATCH", path, patch, "application/merge-patch+json")

    def exists(self, kind: str, name: str, namespace: str = "") -> bool:
        """Whether it still stands there, ending or not."""
        items = self.ask("GET", self.path(kind, namespace=namespace))["items"]
        return any(item["metadata"]["name"] == name for item in items)

    def token(self, account: str, namespace: str, bound_to: dict[str, str] | None = None) -> str:
        """A new token of a service account; it ends with what it is bound to."""
        spec: dict[str, object] = {"expirationSeconds": 3600}
        if bound_to is not None:
            spec["boundObjectRef"] = bound_to
        path = f"{self.path('ServiceAccount', account, namespace)}/token"
        status: dict[str, str] = self.ask("POST", path, {"spec": spec})["status"]
        return status["token"]

    def apply(self, manifest: str) -> list[dict[str, Any]]:
        """Create everything in a manifest as it is written."""
        return [self._apply(document) for document in manifest.split("\n---\n")]

    def _apply(self, document: str) -> dict[str, Any]:
        kind = re.search(r"^kind: (\w+)$", document, re.MULTILINE)
        namespace = re.search(r"^  namespace: (\S+)$", document, re.MULTILINE)
        assert kind is not None, document
        path = self.path(kind[1], namespace=namespace[1] if namespace else "")
        return self.ask("POST", path, document, "application/yaml")

    def may(self, account: str, verb: str, resource: str, group: str = "", namespace: str = "") -> bool:
        """Whether a service account, `namespace:name`, may do something."""
        resource, _, part = resource.partition("/")
        attributes = {"verb": verb, "group": group, "resource": resource, "subresource": part, "namespace": namespace}
        spec = {"user": f"system:serviceaccount:{account}", "resourceAttributes": attributes}
        review = self.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
        return bool(review["status"]["allowed"])


@contextmanager
def api_server(folder: Path) -> Generator[ApiServer]:
    """A running server that decides by roles.

    Raises:
        ServerUnavailable: a program is missing or does not start.
    """
    program = find_kube_apiserver()
    make_certificates(folder)
    (folder / "tokens.csv").write_text(f'{_ADMIN},administrator,1,"system:masters"\n')
    [port] = free_ports(1)
    with etcd_cluster("a") as etcd:
        options = {
            "etcd-servers": etcd.urls[0],
            "bind-address": "127.0.0.1",
            "secure-port": str(port),
            "tls-cert-file": str(folder / "c.pem"),
            "tls-private-key-file": str(folder / "key.pem"),
            "token-auth-file": str(folder / "tokens.csv"),
            "authorization-mode": "RBAC",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": str(folder / "key.pem"),
            "service-account-signing-key-file": str(folder / "key.pem"),
            "service-cluster-ip-range": "10.0.0.0/24",
            "endpoint-reconciler-type": "none",
            "disable-admission-plugins": "ServiceAccount",  # a controller would make each namespace's own account
        }
        log = folder / "kube-apiserver.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                ending_with_parent([str(program), *(f"--{name}={value}" for name, value in options.items())]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            found = ApiServer(f"https://127.0.0.1:{port}", folder / "ca.pem")
            wait_until(lambda: _ready(found, server, log), _START_TIMEOUT, what="the API server is ready")
            yield found
        finally:
            server.terminate()
            server.wait(30)


def _ready(server: ApiServer, process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        raise ServerUnavailable(f"kube-apiserver does not start; the end of its log:\n{log.read_text()[-3000:]}")
    headers = {"Authorization": f"Bearer {_ADMIN}"}
    try:
        return server.send(Request("GET", "/readyz", headers=headers)).ok
    except (Unreached, Lost):
        return False
