"""Envoy's rate limit service, asked by a gRPC client that speaks the published messages."""

# grpcio is not marked as typed.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from snowshed.consumers import Brake, Outcome
from snowshed.consumers.integrations.envoy.messages import (
    OK,
    OVER_LIMIT,
    UNKNOWN,
    RateLimitRequest,
    RateLimitResponse,
)
from snowshed.consumers.integrations.envoy.service import add_rate_limit_service
from snowshed.consumers.integrations.hosts import HostGuards
from snowshed.consumers.testing import decision, in_memory_view
from snowshed.schemas.records import DecisionKind


@contextmanager
def _asking(guards: HostGuards) -> Generator[Any]:
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        add_rate_limit_service(server, guards)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield channel.unary_unary(
                    "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit",
                    request_serializer=RateLimitRequest.SerializeToString,
                    response_deserializer=RateLimitResponse.FromString,
                )
        finally:
            server.stop(None).wait()


def _request(*descriptors: dict[str, str], domain: str = "edge", hits: int = 0, own_hits: int | None = None) -> Any:
    request = RateLimitRequest(domain=domain, hits_addend=hits)
    for entries in descriptors:
        descriptor = request.descriptors.add()
        if own_hits is not None:
            descriptor.hits_addend.value = own_hits
        for key, value in entries.items():
            descriptor.entries.add(key=key, value=value)
    return request


def test_each_descriptor_is_asked_of_the_scope_it_names_until_one_refuses() -> None:
    guards = HostGuards(in_memory_view(decision("payments", DecisionKind.BREAKER, p_reject=1.0, decision_id="d1")))
    with _asking(guards) as ask:
        response = ask(_request({"scope": "orders"}, {"scope": "payments"}, {"scope": "users"}))
    assert response.overall_code == OVER_LIMIT
    assert [status.code for status in response.statuses] == [OK, OVER_LIMIT, UNKNOWN]
    reset = response.statuses[1].duration_until_reset
    assert 0.5 < reset.seconds + reset.nanos / 1e9 < 1.5
    headers = {header.key: header.value for header in response.response_headers_to_add}
    assert headers in ({"retry-after": after, "snowshed-degrade-level": "0"} for after in "12")
    assert json.loads(response.raw_body)["decision_id"] == "d1"
    assert guards.of("orders").stats.outcomes == {Outcome.IGNORED: 1}
    assert guards.of("users").stats.admitted == 0


def test_entries_carry_the_class_and_the_domain_names_the_scope_where_no_entry_does() -> None:
    guards = HostGuards(in_memory_view(decision("edge", DecisionKind.DEGRADE, degrade_level=3)))
    with _asking(guards) as ask:
        sheddable = ask(_request({"snowshed-criticality": "3"}))
        critical = ask(_request({"snowshed-criticality": "0"}))
    assert (sheddable.overall_code, critical.overall_code) == (OVER_LIMIT, OK)
    assert guards.of("edge").stats.rejected == {Brake.DEGRADE: 1}


@pytest.mark.parametrize(
    ("hits", "own_hits", "calls"), [(0, None, 1), (3, None, 3), (3, 5, 5), (3, 0, 0), (2**32 - 1, None, 100)]
)
def test_a_descriptor_is_as_many_calls_as_its_hits(hits: int, own_hits: int | None, calls: int) -> None:
    guards = HostGuards()
    with _asking(guards) as ask:
        response = ask(_request({"scope": "orders"}, hits=hits, own_hits=own_hits))
    assert response.overall_code == OK
    assert guards.of("orders").stats.admitted == calls
    assert guards.of("orders").stats.in_flight == 0


def test_hits_are_charged_to_the_rate() -> None:
    limit = decision("orders", DecisionKind.RATE, rate_multiplier=0.5, per_instance_fallback=10.0, ttl=60.0)
    guards = HostGuards(in_memory_view(limit))
    with _asking(guards) as ask:
        codes = [ask(_request({"scope": "orders"}, hits=hits)).overall_code for hits in (50, 1)]
    assert codes == [OVER_LIMIT, OVER_LIMIT]
    assert guards.of("orders").stats.rejected == {Brake.RATE: 2}


def test_the_bytes_are_those_of_the_published_messages() -> None:
    request = RateLimitRequest.FromString(b"\x0a\x04edge\x12\x0b\x0a\x09\x0a\x05scope\x12\x00\x18\x02")
    assert (request.domain, request.hits_addend) == ("edge", 2)
    assert request.descriptors[0].entries[0].key == "scope"
    own = RateLimitRequest.FromString(b"\x12\x04\x1a\x02\x08\x07")
    assert own.descriptors[0].hits_addend.value == 7
    response = RateLimitResponse(overall_code=OVER_LIMIT)
    response.response_headers_to_add.add(key="a", value="b")
    assert response.SerializeToString() == b"\x08\x02\x1a\x06\x0a\x01a\x12\x01b"
