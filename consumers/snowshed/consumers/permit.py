"""The permission for one call, which travels with it and takes its outcome back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self

from snowshed.schemas.errors import Rejected

__all__ = ["Outcome", "Permit", "Ticket"]

Ticket = tuple[str, int, str, int]
"""What the brakes must be told again when a call ends: operation, class, tenant, the breaker's generation."""


class Outcome(Enum):
    """How an admitted call ended, in the words of overload control."""

    SUCCEEDED = "succeeded"
    IGNORED = "ignored"
    """It says nothing about the callee's load: a fast failure is not low latency."""
    DROPPED = "dropped"
    """It timed out or was given up: a sign of overload."""


class Permit:
    """One admitted call; used as a context manager it maps exceptions to the outcome, or one is stated explicitly.

    Only the first outcome counts. Without any the call counts as in flight for ever.
    """

    __slots__ = ("_release", "started", "ticket", "timeout")

    def __init__(
        self,
        release: Callable[[Permit, Outcome, bool | None], None],
        started: float,
        ticket: Ticket | None,
        timeout: float | None,
    ) -> None:
        self._release: Callable[[Permit, Outcome, bool | None], None] | None = release
        self.started = started
        """When it was admitted, by the Guard's clock."""
        self.ticket = ticket
        """For the Guard."""
        self.timeout = timeout
        """Seconds the call may take: the least of decided, usual and remaining time; None without any."""

    def succeeded(self) -> None:
        """The callee answered."""
        self._end(Outcome.SUCCEEDED, failed=False)

    def ignored(self) -> None:
        """The call ended in a way that says nothing about the callee."""
        self._end(Outcome.IGNORED, failed=None)

    def failed(self) -> None:
        """The callee failed, which says nothing about its load: it is ignored, but the circuit breaker counts it."""
        self._end(Outcome.IGNORED, failed=True)

    def dropped(self) -> None:
        """The call timed out, was cancelled or given up: it is dropped, and the circuit breaker counts it."""
        self._end(Outcome.DROPPED, failed=True)

    def refused(self) -> None:
        """The callee refused the call for overload: it is dropped, but the callee has not failed."""
        self._end(Outcome.DROPPED, failed=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        release = self._release
        if kind is None and release is not None:
            self._release = None
            release(self, Outcome.SUCCEEDED, False)
        elif kind is not None:
            self._end(_outcome_of(kind), failed=None if issubclass(kind, Rejected) else True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _end(self, outcome: Outcome, *, failed: bool | None) -> None:
        release = self._release
        if release is not None:
            self._release = None
            release(self, outcome, failed)


def _outcome_of(kind: type[BaseException]) -> Outcome:
    timed_out = issubclass(kind, TimeoutError | asyncio.CancelledError)
    return Outcome.DROPPED if timed_out else Outcome.IGNORED
