"""The permission for one call, which travels with it and takes its outcome back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self

__all__ = ["Outcome", "Permit"]


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

    __slots__ = ("_release",)

    def __init__(self, release: Callable[[Outcome], None]) -> None:
        self._release: Callable[[Outcome], None] | None = release

    def succeeded(self) -> None:
        """The callee answered."""
        self._end(Outcome.SUCCEEDED)

    def ignored(self) -> None:
        """The call failed in a way that says nothing about load."""
        self._end(Outcome.IGNORED)

    def dropped(self) -> None:
        """The call timed out or was cancelled, or the callee refused it for overload."""
        self._end(Outcome.DROPPED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(Outcome.SUCCEEDED if kind is None else _outcome_of(kind))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(Outcome.SUCCEEDED if kind is None else _outcome_of(kind))

    def _end(self, outcome: Outcome) -> None:
        release = self._release
        if release is not None:
            self._release = None
            release(outcome)


def _outcome_of(kind: type[BaseException]) -> Outcome:
    timed_out = issubclass(kind, TimeoutError | asyncio.CancelledError)
    return Outcome.DROPPED if timed_out else Outcome.IGNORED
