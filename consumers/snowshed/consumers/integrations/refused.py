"""The HTTP answer to a refused request, whatever the framework."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import ceil

from snowshed.consumers.admission.decided import Brake, Refusal
from snowshed.consumers.guard import Guard
from snowshed.schemas.propagation import CURSOR, LOWEST_PRIORITY

__all__ = ["DEGRADE_LEVEL", "EXEMPT_PATHS", "ExemptPaths", "advertised", "body_of", "headers_of", "hear", "status_of"]

DEGRADE_LEVEL = "snowshed-degrade-level"
"""Response header: the degrade level in force, so that callers can drop early."""

EXEMPT_PATHS = ("/health", "/healthz", "/readyz", "/metrics")
"""What is never refused unless it is said otherwise."""


class ExemptPaths:
    """Paths that are never refused; a path below one of them counts too."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = tuple(path.rstrip("/") for path in paths)

    def __contains__(self, path: str) -> bool:
        if ".." in path:  # /health/../orders is not below /health where the application resolves it
            return False
        return any(path == exempt or path.startswith(f"{exempt}/") for exempt in self._paths)


def status_of(refusal: Refusal) -> int:
    """503 when the request's class is degraded away, otherwise 429."""
    return 503 if refusal.brake is Brake.DEGRADE else 429


def advertised(guard: Guard) -> dict[str, str]:
    """The headers of every answer: how far the service is degraded, and which priorities it admits if not all."""
    headers = {DEGRADE_LEVEL: str(guard.effective.degrade_level)}
    if guard.cursor < LOWEST_PRIORITY:
        headers[CURSOR] = str(guard.cursor)
    return headers


def hear(guard: Guard, headers: Mapping[str, str]) -> None:
    """Tells a caller's guard what the headers of an answer advertise."""
    cursor = headers.get(CURSOR, "")
    guard.hear_cursor(int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 4 else LOWEST_PRIORITY)


def headers_of(refusal: Refusal, guard: Guard) -> dict[str, str]:
    """When to come back and how far the service is degraded."""
    return {"retry-after": str(max(1, ceil(refusal.retry_after))), **advertised(guard)}


def body_of(refusal: Refusal, guard: Guard) -> bytes:
    """A small JSON object that says why."""
    return json.dumps(
        {
            "error": "rejected",
            "scope": guard.scope,
            "reason": refusal.reason,
            "retry_after": round(refusal.retry_after, 3),
            "decision_id": refusal.decision_id,
        }
    ).encode()
