"""Several HTTP requests for one action, all within its time, each with its meaning for the action."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from snowshed.consumers.actions.executors.base import Result, Verdict
from snowshed.consumers.outward.http import Answer, Endpoint, Lost, Request, Unreached
from snowshed.schemas.errors import SnowshedError

__all__ = ["Asking", "Ended", "document", "settled", "told"]

_LEAST = 0.05
_SHOWN = 500
"""Characters of a message that are told."""


class Ended(SnowshedError):
    """A request ended the action.

    Args:
        result: as what.
    """

    def __init__(self, result: Result) -> None:
        super().__init__(result.output)
        self.result = result


@dataclass(slots=True)
class Asking:
    """The requests of one action.

    Args:
        endpoint: the server.
        headers: what every request carries.
        timeout: seconds for all of them.
    """

    endpoint: Endpoint
    headers: Mapping[str, str]
    timeout: float
    clock: Callable[[], float] = time.monotonic
    _deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self._deadline = self.clock() + self.timeout

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._deadline - self.clock()

    def get(self, path: str) -> dict[str, Any]:
        """What stands there; it cannot have changed anything, so every failure is one.

        Raises:
            Ended: it could not be had.
        """
        try:
            answer = self._ask(Request("GET", path, headers=self.headers))
        except Lost as error:
            raise Ended(Result(Verdict.FAILED, str(error))) from error
        if not answer.ok:
            raise Ended(Result(Verdict.FAILED, f"GET {path}: {told(answer)}"))
        try:
            return cast("dict[str, Any]", json.loads(answer.body))
        except ValueError as error:
            raise Ended(Result(Verdict.FAILED, f"GET {path}: no JSON in the answer: {error}")) from error

    def change(self, method: str, path: str, body: object = None, content: str = "application/json") -> Answer:
        """Ask for a change; the answer, whatever its status.

        Raises:
            Ended: no answer came, so that nobody knows whether it was made, or there was nobody to ask.
        """
        raw = b"" if body is None else json.dumps(body).encode()
        try:
            return self._ask(Request(method, path, raw, {**self.headers, "Content-Type": content}))
        except Lost as error:
            raise Ended(Result(Verdict.UNKNOWN, str(error))) from error

    def pause(self, seconds: float, sleep: Callable[[float], None], why: str) -> None:
        """Wait before the next try.

        Args:
            seconds: how long, unless less is left.
            sleep: waits.
            why: what is waited for, in words.

        Raises:
            Ended: the time is over.
        """
        sleep(min(seconds, max(self.left, 0.0)))
        if self.left <= _LEAST:
            raise Ended(Result(Verdict.FAILED, f"not done within {self.timeout:g} s: {why}"))

    def _ask(self, request: Request) -> Answer:
        if self.left <= _LEAST:
            raise Ended(Result(Verdict.FAILED, f"not done within {self.timeout:g} s"))
        try:
            return replace(self.endpoint, timeout=self.left).ask(request, whole=True)
        except Unreached as error:
            raise Ended(Result(Verdict.FAILED, str(error))) from error


def settled(answer: Answer, done: str) -> Result:
    """What the last answer means: an error inside the server may have come after the change."""
    if answer.ok:
        return Result(Verdict.DONE, done)
    return Result(Verdict.UNKNOWN if answer.status >= 500 else Verdict.FAILED, told(answer))


def told(answer: Answer) -> str:
    """An answer in words: its message where it is a JSON object that has one, for much may stand before that."""
    message = document(answer).get("message")
    return f"HTTP {answer.status}: {message[:_SHOWN]}" if isinstance(message, str) else str(answer)


def document(answer: Answer) -> dict[str, Any]:
    """The JSON object in an answer; empty where there is none."""
    try:
        held: object = json.loads(answer.body)
    except ValueError:
        return {}
    return cast("dict[str, Any]", held) if isinstance(held, dict) else {}
