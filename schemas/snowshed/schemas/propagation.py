"""What one call tells the next: whose call it is, how urgent, which attempt and how much time is left.

The entry of a request sets these headers and every service behind it hands them on. `attempt` is inherited too: a call
made on behalf of somebody's retry is itself no first attempt, so first attempts keep measuring original demand at any
depth. The remaining time travels instead of a point in time, because two hosts' clocks disagree.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import IntEnum
from math import isfinite
from typing import Any

__all__ = [
    "ATTEMPT",
    "CALLER",
    "COHORT",
    "COHORTS",
    "CRITICALITY",
    "CURSOR",
    "DEADLINE",
    "LOWEST_PRIORITY",
    "ORIGIN",
    "ROOT_API",
    "CallContext",
    "Criticality",
    "attempt",
    "call_context",
    "emit",
    "parse",
    "parse_environ",
    "parse_raw",
    "use_context",
]

ATTEMPT = "snowshed-attempt"
CALLER = "snowshed-caller"
COHORT = "snowshed-cohort"
CRITICALITY = "snowshed-criticality"
DEADLINE = "snowshed-deadline"
ROOT_API = "snowshed-root-api"
CURSOR = "snowshed-cursor"
"""Response header: the lowest priority, 0 to 511, that is admitted while others are shed; left out when none are."""
ORIGIN = "snowshed-origin"
"""Response header: whose failure a failed response reports, `local` or `downstream` as seen from its sender."""

COHORTS = 128
_LONGEST_NAME = 200
_LARGEST_ATTEMPT = 1_000
_LONGEST_DEADLINE = 86_400.0


class Criticality(IntEnum):
    """The four classes of Google's SRE book, most important first."""

    CRITICAL_PLUS = 0
    CRITICAL = 1
    SHEDDABLE_PLUS = 2
    SHEDDABLE = 3


LOWEST_PRIORITY = len(Criticality) * COHORTS - 1
"""The priority that is refused first: they are counted over all cohorts of all classes, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """What is known of the request being served; calls made on its behalf inherit it."""

    caller: str = ""
    """Service that sent the request; empty at the entry."""
    root_api: str = ""
    """The API at the entry on whose behalf everything below happens."""
    criticality: Criticality = Criticality.CRITICAL
    cohort: int = 0
    """0 (kept longest) to 127 within a criticality class."""
    attempt: int = 0
    """0 for original demand; above it, retries made anywhere between the entry and here."""
    deadline: float | None = None
    """When the answer becomes worthless, on this process's monotonic clock."""

    def remaining(self, now: float) -> float | None:
        """Seconds left until the deadline, never below 0; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - now)


_EMPTY = CallContext()
_CONTEXT: ContextVar[CallContext] = ContextVar("snowshed_call_context", default=_EMPTY)


def call_context() -> CallContext:
    """The context of the request that the current task or thread works for."""
    return _CONTEXT.get()


@contextmanager
def use_context(context: CallContext) -> Generator[CallContext]:
    """Work for another request inside the block."""
    token = _CONTEXT.set(context)
    try:
        yield context
    finally:
        _CONTEXT.reset(token)


@contextmanager
def attempt(number: int) -> Generator[CallContext]:
    """Mark calls inside the block as this caller's attempt `number` (0 = its first), on top of the inherited one."""
    context = _CONTEXT.get()
    with use_context(replace(context, attempt=context.attempt + number) if number else context) as marked:
        yield marked


def parse(headers: Mapping[str, str], now: float) -> CallContext:
    """Read a context from headers with lower-case names; what is missing or damaged falls back to its default."""
    remaining = _number(headers.get(DEADLINE, ""), _LONGEST_DEADLINE * 1e3)
    return CallContext(
        caller=_name(headers.get(CALLER, "")),
        root_api=_name(headers.get(ROOT_API, "")),
        criticality=Criticality(_integer(headers.get(CRITICALITY, ""), max(Criticality), Criticality.CRITICAL)),
        cohort=_integer(headers.get(COHORT, ""), COHORTS - 1, 0),
        attempt=_integer(headers.get(ATTEMPT, ""), _LARGEST_ATTEMPT, 0),
        deadline=None if remaining is None else now + remaining / 1e3,
    )


def parse_raw(headers: Iterable[tuple[bytes, bytes]], now: float) -> CallContext:
    """Read a context from header pairs as ASGI and Kafka hand them over."""
    ours = {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in headers
        if name[:9].lower() == b"snowshed-"
    }
    return parse(ours, now) if ours else _EMPTY


def parse_environ(environ: Mapping[str, Any], now: float) -> CallContext:
    """Read a context from the environment of a WSGI request."""
    ours = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_SNOWSHED_") and isinstance(value, str)
    }
    return parse(ours, now) if ours else _EMPTY


def emit(context: CallContext, *, caller: str, now: float) -> dict[str, str]:
    """The headers for a call that service `caller` makes while it serves `context`."""
    headers = {
        CALLER: caller,
        ATTEMPT: str(context.attempt),
        CRITICALITY: str(int(context.criticality)),
        COHORT: str(context.cohort),
    }
    if context.root_api:
        headers[ROOT_API] = context.root_api
    remaining = context.remaining(now)
    if remaining is not None:
        headers[DEADLINE] = str(round(remaining * 1e3))
    return headers


def _name(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME and text.isascii() and text.isprintable() else ""


def _integer(text: str, largest: int, default: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return default
    return min(int(text), largest)


def _number(text: str, largest: float) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return min(value, largest) if isfinite(value) and value >= 0 else None
