"""Posts JSON and says what the answer means for a message."""

from __future__ import annotations

import json
from collections.abc import Mapping

from snowshed.consumers.notify.message import Delivery, Outcome
from snowshed.consumers.outward.http import Answer, Endpoint, Request
from snowshed.schemas.errors import ServerUnavailable

__all__ = ["as_json", "post"]


def as_json(value: object) -> bytes:
    """A value as JSON, the same for equal values."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def post(endpoint: Endpoint, body: bytes, headers: Mapping[str, str], *, path: str = "") -> Delivery:
    """Post a body and say what became of it."""
    try:
        answer = endpoint.ask(Request("POST", path, body, {"Content-Type": "application/json", **headers}))
    except ServerUnavailable as error:
        return Delivery(Outcome.AGAIN, str(error))
    return _meaning(endpoint, answer)


def _meaning(endpoint: Endpoint, answer: Answer) -> Delivery:
    if answer.ok:
        return Delivery(Outcome.SENT)
    reason = f"{endpoint.place} answered {answer}"
    return Delivery(Outcome.AGAIN if answer.passing else Outcome.NEVER, reason, answer.retry_after)
