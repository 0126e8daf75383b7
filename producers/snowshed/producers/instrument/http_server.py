"""What is measured of a request that a server has received, whatever its interface to the application."""

from __future__ import annotations

import re
from dataclasses import replace

from snowshed.producers.inbound import Inbound
from snowshed.producers.outcome import Outcome, outcome_of
from snowshed.producers.recorder import Call
from snowshed.producers.telemetry import Telemetry
from snowshed.schemas.propagation import ORIGIN, CallContext
from snowshed.schemas.records import Vantage

__all__ = ["Failing", "begin", "origin_headers", "queue_delay", "route", "with_root"]

_UNKNOWN = "unknown"
_LONGEST_ROUTE = 100
_LONGEST_QUEUE = 3_600.0
_IDENTIFIER = re.compile(r"(?<=/)(?:\d[^/]*|[0-9a-fA-F-]{16,}|[^/]{33,})(?=/|$)")
# Proxies write seconds, milliseconds or microseconds since the epoch; no two of these ranges overlap this century.
_UNITS = ((1e8, 1e11, 1.0), (1e11, 1e14, 1e-3), (1e14, 1e17, 1e-6))
_FAULT = frozenset({Outcome.LOCAL, Outcome.DOWNSTREAM})


def route(method: str, path: str) -> str:
    """Method and path, with segments that look like identifiers replaced, since reports need few distinct names."""
    return f"{method} {_IDENTIFIER.sub('{id}', path[: 4 * _LONGEST_ROUTE])}"[:_LONGEST_ROUTE]


def queue_delay(written: bytes, now: float) -> float | None:
    """Seconds since the time that a proxy wrote into `x-request-start`; None if it is not believable.

    Args:
        written: the header's value; empty without one.
        now: seconds since the epoch.
    """
    try:
        stamp = float(written.removeprefix(b"t="))
    except ValueError:
        return None
    for low, high, unit in _UNITS:
        if low <= stamp < high:
            delay = now - stamp * unit
            return max(0.0, delay) if delay < _LONGEST_QUEUE else None
    return None


def begin(telemetry: Telemetry, operation: str, context: CallContext) -> Call:
    """Begins to time a request, as a call from whoever sent it."""
    return telemetry.recorder.call(
        telemetry.service,
        operation,
        caller=context.caller or _UNKNOWN,
        attempt=context.attempt,
        vantage=Vantage.CALLEE,
    ).begin()


def with_root(context: CallContext, operation: str) -> CallContext:
    """A request's context; what comes from outside is from here on made on behalf of this operation."""
    return context if context.root_api else replace(context, root_api=operation)


def origin_headers(outcome: Outcome) -> list[tuple[str, str]]:
    """The header of a failed response that says whether this service or one behind it is at fault."""
    return [(ORIGIN, outcome.value)] if outcome in _FAULT else []


class Failing:
    """Ends a call by the error that leaves the block, if one does; the error goes on."""

    __slots__ = ("_call", "_inbound")

    def __init__(self, call: Call, inbound: Inbound) -> None:
        self._call = call
        self._inbound = inbound

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            self._call.outcome = _outcome(error, self._inbound)
            self._call.end()


def _outcome(error: BaseException, inbound: Inbound) -> Outcome:
    outcome = outcome_of(error)
    # A cancelled request was given up by its sender, and a rejected one refused on purpose: no dependency did that.
    blameless = outcome is Outcome.REJECTED or not isinstance(error, Exception)
    return Outcome.DOWNSTREAM if inbound.dependency_failed and not blameless else outcome
