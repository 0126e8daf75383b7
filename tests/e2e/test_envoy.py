"""A real Envoy that asks Guards."""

# grpcio is not marked as typed.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import httpx
import pytest
from tests.support.envoy import Envoy

from snowshed.consumers import Brake
from snowshed.consumers.integrations.envoy.service import add_rate_limit_service
from snowshed.consumers.integrations.hosts import HostGuards
from snowshed.consumers.testing import decision, in_memory_view
from snowshed.schemas.records import DecisionKind

pytestmark = pytest.mark.e2e

_ACTIONS: list[dict[str, Any]] = [
    {"generic_key": {"descriptor_key": "scope", "descriptor_value": "orders"}},
    {
        "request_headers": {
            "header_name": "snowshed-criticality",
            "descriptor_key": "snowshed-criticality",
            "skip_if_absent": True,
        }
    },
]


class _Upstream(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Nothing to say."""


@contextmanager
def _upstream() -> Generator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Upstream) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _service(guards: HostGuards) -> Generator[int]:
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        add_rate_limit_service(server, guards)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield port
        finally:
            server.stop(None).wait()


def test_envoy_refuses_what_a_guard_refuses_and_tells_when_to_come_back() -> None:
    view = in_memory_view(decision("orders", DecisionKind.DEGRADE, degrade_level=3, decision_id="d1", ttl=60.0))
    guards = HostGuards(view)
    with (
        _upstream() as upstream,
        _service(guards) as service,
        Envoy(upstream=upstream, service=service, actions=_ACTIONS) as envoy,
    ):
        admitted = httpx.get(envoy.url, headers={"snowshed-criticality": "0"})
        refused = httpx.get(envoy.url, headers={"snowshed-criticality": "3"})
        unmarked = httpx.get(envoy.url)
    assert (admitted.status_code, refused.status_code, unmarked.status_code) == (200, 429, 200)
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["snowshed-degrade-level"] == "3"
    assert refused.json()["decision_id"] == "d1"
    assert guards.of("orders").stats.rejected == {Brake.DEGRADE: 1}
