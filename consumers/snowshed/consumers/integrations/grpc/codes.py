"""What gRPC's status codes and metadata say, in the words of overload control."""

from __future__ import annotations

# grpcio is not marked as typed.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import grpc

from snowshed.consumers.admission.decided import Brake, Refusal
from snowshed.consumers.guard import Guard
from snowshed.consumers.integrations.refused import DEGRADE_LEVEL
from snowshed.consumers.permit import Permit
from snowshed.schemas.propagation import ATTEMPT, CallContext, call_context, emit, parse

__all__ = ["EXEMPT_SERVICES", "PUSHBACK", "code_of", "context_of", "metadata_with", "refusal_metadata", "settle"]

PUSHBACK = "grpc-retry-pushback-ms"
"""Trailing metadata: when a client may retry by its retry policy; negative means never (gRPC's proposal A6)."""

EXEMPT_SERVICES = ("grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection")
"""What is never refused unless it is said otherwise."""

_FOREVER = 1e6  # what a threaded server calls no deadline is hundreds of years
_PREVIOUS_ATTEMPTS = "grpc-previous-rpc-attempts"
_OVERLOADED = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"})
_FAILED = frozenset({"UNKNOWN", "INTERNAL", "DATA_LOSS", "UNIMPLEMENTED"})
_NEVER_RETRY = frozenset({Brake.RETRY, Brake.ATTEMPTS})
_BY_NUMBER: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def settle(permit: Permit, code: grpc.StatusCode | int | None) -> None:
    """Ends a permit by a call's status; what is wrong with the request is still an answer.

    Args:
        permit: of the call.
        code: how it ended, also as asyncio servers give it; None stands for success.
    """
    name = "OK" if code is None else (_BY_NUMBER[code] if isinstance(code, int) else code).name
    if name == "RESOURCE_EXHAUSTED":
        permit.refused()
    elif name in _OVERLOADED:
        permit.dropped()
    elif name in _FAILED:
        permit.failed()
    else:
        permit.succeeded()


def code_of(refusal: Refusal) -> grpc.StatusCode:
    """UNAVAILABLE when the call's class is degraded away, otherwise RESOURCE_EXHAUSTED."""
    return grpc.StatusCode.UNAVAILABLE if refusal.brake is Brake.DEGRADE else grpc.StatusCode.RESOURCE_EXHAUSTED


def refusal_metadata(refusal: Refusal, guard: Guard) -> tuple[tuple[str, str], ...]:
    """Trailing metadata of a refused call: when to come back, and how far the service is degraded."""
    pushback = "-1" if refusal.brake in _NEVER_RETRY else str(round(refusal.retry_after * 1e3))
    return ((PUSHBACK, pushback), (DEGRADE_LEVEL, str(guard.effective.degrade_level)))


def context_of(metadata: Iterable[tuple[str, Any]] | None, remaining: float | None) -> CallContext:
    """The context that a call's metadata carries; gRPC's own deadline and count of retries stand in where ours lack.

    Args:
        metadata: as received.
        remaining: seconds left by gRPC's own deadline; None without one.
    """
    headers = {name: value for name, value in metadata or () if isinstance(value, str)}
    now = time.monotonic()
    context = parse(headers, now)
    previous = parse({ATTEMPT: headers.get(_PREVIOUS_ATTEMPTS, "")}, now).attempt  # as safely as our own count
    if previous:
        context = replace(context, attempt=context.attempt + previous)
    if context.deadline is None and remaining is not None and remaining < _FOREVER:
        context = replace(context, deadline=now + remaining)
    return context


def metadata_with(metadata: Iterable[tuple[str, Any]] | None, caller: str) -> list[tuple[str, Any]]:
    """Metadata of a call to be made, with the context of the request that it is made for."""
    ours = emit(call_context(), caller=caller, now=time.monotonic())
    return [*((name, value) for name, value in metadata or () if name not in ours), *ours.items()]
