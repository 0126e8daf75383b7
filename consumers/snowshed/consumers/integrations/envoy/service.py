"""Envoy's rate limit service, answered from Guards.

::

    server = grpc.server(ThreadPoolExecutor(4))
    add_rate_limit_service(server, HostGuards(view))
    server.add_insecure_port("127.0.0.1:8081")
    server.start()
"""

from __future__ import annotations

# grpcio is not marked as typed.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
import time
from typing import Any

import grpc

from snowshed.consumers.admission.decided import Refusal
from snowshed.consumers.guard import Guard
from snowshed.consumers.integrations.envoy.messages import (
    METHOD,
    OK,
    OVER_LIMIT,
    SERVICE,
    UNKNOWN,
    RateLimitRequest,
    RateLimitResponse,
)
from snowshed.consumers.integrations.hosts import HostGuards
from snowshed.consumers.integrations.refused import body_of, headers_of
from snowshed.schemas.propagation import parse, use_context

__all__ = ["SCOPE", "add_rate_limit_service"]

SCOPE = "scope"
"""The key of the entry that names what is called; without one, the request's domain does."""

_MOST_HITS = 100
"""Each costs as much time as a call, and Envoy waits 20 ms by itself for all of an answer."""


def add_rate_limit_service(server: grpc.Server, guards: HostGuards) -> None:
    """Lets a threaded gRPC server answer `ShouldRateLimit`.

    Each descriptor is as many calls to the scope that it names as its `hits_addend` says, else the request's, else
    one; entries called like Snowshed's headers give their class, cohort and attempt. All must be admitted, and
    those before the one refused are counted. None at all, which only asks whether more would pass, is refused while
    its priority is shed by queue delay, and uses up nothing. More than a hundred count as a hundred. The first
    refusal decides: the rest is not asked, so that it costs no token. Envoy answers 429 with `Retry-After`. Envoy
    does not tell how calls end, so no outcome is counted but `ignored`.

    Args:
        server: not yet started.
        guards: the guards by scope.
    """

    def should_rate_limit(request: Any, _context: object) -> Any:
        return _answer(request, guards)

    handler: Any = grpc.unary_unary_rpc_method_handler(
        should_rate_limit,
        request_deserializer=RateLimitRequest.FromString,
        response_serializer=RateLimitResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))


def _answer(request: Any, guards: HostGuards) -> Any:
    response = RateLimitResponse(overall_code=OK)
    for descriptor in request.descriptors:
        if response.overall_code == OVER_LIMIT:
            response.statuses.add(code=UNKNOWN)
            continue
        entries = {entry.key: entry.value for entry in descriptor.entries}
        guard = guards.of(entries.get(SCOPE) or request.domain)
        refusal = _ask(guard, entries, _hits(request, descriptor))
        if refusal is None:
            response.statuses.add(code=OK)
        else:
            _refuse(response, refusal, guard)
    return response


def _hits(request: Any, descriptor: Any) -> int:
    """How many calls a descriptor stands for; 0 at the request itself is Envoy's way to say nothing."""
    hits: int = descriptor.hits_addend.value if descriptor.HasField("hits_addend") else request.hits_addend or 1
    return min(hits, _MOST_HITS)


def _ask(guard: Guard, entries: dict[str, str], hits: int) -> Refusal | None:
    path = entries.get("path", "")
    with use_context(parse(entries, time.monotonic())):
        if not hits:
            return guard.turn_away(path)
        for _ in range(hits):
            answer = guard.try_admit(path)
            if isinstance(answer, Refusal):
                return answer
            answer.ignored()
    return None


def _refuse(response: Any, refusal: Refusal, guard: Guard) -> None:
    response.overall_code = OVER_LIMIT
    status = response.statuses.add(code=OVER_LIMIT)
    status.duration_until_reset.seconds = int(refusal.retry_after)
    status.duration_until_reset.nanos = int(refusal.retry_after % 1 * 1e9)
    for name, value in headers_of(refusal, guard).items():
        response.response_headers_to_add.add(key=name, value=value)
    response.raw_body = body_of(refusal, guard)
