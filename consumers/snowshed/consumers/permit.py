"""The permission for one call, which travels with it and takes its outcome back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self

from snowshed.schemas.errors import Rejected

__all__ = ["End", "Outcome", "Permit", "Ticket"]

Ticket = tuple[str, int, str, int]
"""What the brakes must be told again when a call ends: operation, class, tenant, the breaker's generation."""


class Outcome(Enum):
    """How an admitted call ended, in the words of overload control."""

    SUCCEEDED = "succeeded"
    IGNORED = "ignored"
    """It says nothing about the callee's load: a fast failure is not low latency."""
    DROPPED = "dropped"
    """It timed out or was given up: a sign of overload."""


_IGNORED = Outcome.IGNORED
_SUCCEEDED = Outcome.SUCCEEDED

End = tuple[Ticket | None, Outcome, bool | None, float, float]
"""How a call ended: its ticket, the outcome, whether the callee failed, the seconds it took, and when that was."""


class Permit:
    """One admitted call; used as a context manager it maps exceptions to the outcome, or one is stated explicitly.

    Only the first outcome counts. A permit that is forgotten counts as in flight until Python disposes of it, and then
    as ignored.

    To end takes no lock: Python may end a forgotten call, or run a signal handler that ends one, at any instant, also
    while the same thread holds the Guard's lock. The end is left in `ends`, where the Guard finds it before it decides
    anything else.
    """

    __slots__ = ("_clock", "ends", "started", "ticket", "timeout")

    def __init__(
        self, clock: Callable[[], float], started: float, ticket: Ticket | None, timeout: float | None
    ) -> None:
        self.ends: deque[End] | None = None
        """Where to leave how it ended; None before it counts, and after its end."""
        self._clock = clock
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
        if kind is None:  # as `_end` does: a call less for most calls
            now = self._clock()
            ends = self.ends
            if ends is not None:
                self.ends = None
                ends.append((self.ticket, _SUCCEEDED, False, now - self.started, now))
        else:
            self._end(_outcome_of(kind), failed=_has_failed(kind))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __del__(self) -> None:
        try:
            ends = self.ends
        except AttributeError:  # an interrupt kept it from being made
            return
        if ends is not None:
            # Without the clock: no call, no interrupt that Python would swallow here.
            ends.append((self.ticket, _IGNORED, None, 0.0, self.started))

    def _end(self, outcome: Outcome, *, failed: bool | None) -> None:
        now = self._clock()
        ends = self.ends
        # No call may stand between these two steps: Python lets an interrupt in at calls, and it would lose the end.
        if ends is not None:
            self.ends = None
            ends.append((self.ticket, outcome, failed, now - self.started, now))


def _has_failed(kind: type[BaseException]) -> bool | None:
    """Whether the callee has: not when it refused, nor when the caller was interrupted or a generator closed early."""
    is_told = issubclass(kind, Exception | asyncio.CancelledError) and not issubclass(kind, Rejected)
    return True if is_told else None


def _outcome_of(kind: type[BaseException]) -> Outcome:
    timed_out = issubclass(kind, TimeoutError | asyncio.CancelledError)
    return Outcome.DROPPED if timed_out else Outcome.IGNORED
