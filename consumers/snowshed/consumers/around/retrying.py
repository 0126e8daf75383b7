"""Tries a call again within the Guard's retry budget, the decided attempt cap and the time that is left.

::

    @retrying(payments)
    @payments.protect
    def charge(order: str) -> None: ...
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from snowshed.consumers.around.backoff import Backoff
from snowshed.consumers.guard import Guard
from snowshed.consumers.hooks import Hook
from snowshed.schemas.errors import ConfigurationError, Rejected
from snowshed.schemas.propagation import attempt, call_context

__all__ = ["RetryEvent", "retrying"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

Errors = type[Exception] | tuple[type[Exception], ...]


@dataclass(frozen=True, slots=True)
class RetryEvent:
    """A retry has been charged and is about to be waited for."""

    scope: str
    operation: str
    retry: int
    """1 for the first."""
    error: Exception
    """Why."""
    wait: float
    """Seconds until it is made."""


def _ignore(_event: RetryEvent) -> None:
    """The default listener."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Retries:
    """The settings of one decorated function."""

    guard: Guard
    on: Errors
    attempts: int
    backoff: Backoff
    on_retry: Hook[RetryEvent]
    clock: Callable[[], float]
    rng: Callable[[], float]

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """The function with retries, plain or async as it was."""
        if inspect.iscoroutinefunction(function):
            return cast(Callable[_P, _R], self._retried_async(function))
        return self._retried(function)

    def _retried(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(function)
        def retried(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            retry = 0
            while True:
                try:
                    with attempt(retry):
                        return function(*args, **kwargs)
                except self.on as error:
                    retry += 1
                    wait = self._wait(function.__qualname__, retry, error)
                    if wait is None:
                        raise
                time.sleep(wait)

        return retried

    def _retried_async(self, function: Callable[_P, Coroutine[Any, Any, _R]]) -> Callable[_P, Coroutine[Any, Any, _R]]:
        @functools.wraps(function)
        async def retried(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            retry = 0
            while True:
                try:
                    with attempt(retry):
                        return await function(*args, **kwargs)
                except self.on as error:
                    retry += 1
                    wait = self._wait(function.__qualname__, retry, error)
                    if wait is None:
                        raise
                await asyncio.sleep(wait)

        return retried

    def _wait(self, operation: str, retry: int, error: Exception) -> float | None:
        """Charges a retry and returns the seconds until then; None when it must not be made."""
        if retry >= self.attempts:
            return None
        wait = self.backoff.wait(retry, self.rng())
        if isinstance(error, Rejected):
            if not error.retriable:
                return None
            wait = max(wait, error.retry_after)
        context = call_context()
        remaining = context.remaining(self.clock())
        if remaining is not None and wait >= remaining:
            return None
        # The number that its own admission will see, so that no token is spent on what the attempt cap refuses.
        if not self.guard.retry_allowed(context.attempt + retry):
            return None
        self.on_retry(RetryEvent(self.guard.scope, operation, retry, error, wait))
        return wait


def retrying(
    guard: Guard,
    *,
    on: Errors = (TimeoutError, ConnectionError),
    attempts: int = 3,
    backoff: Backoff = Backoff(),  # noqa: B008 frozen
    on_retry: Callable[[RetryEvent], None] = _ignore,
    clock: Callable[[], float] = time.monotonic,
    rng: Callable[[], float] = random.random,
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """A decorator that tries a function again, plain or async; the last error is raised as it came.

    Put it outside of what admits each attempt, `guard.protect` or a guarded transport. A retry is charged to the
    guard's budget before it is waited for. None is made past the deadline of the request being served, none that the
    attempt cap forbids, and none after a refusal that says so. The attempt's number travels with the call.

    Args:
        guard: whose budget pays.
        on: what is worth another try; a call that is not idempotent wants fewer.
        attempts: at most so many calls, the first included.
        backoff: how long to wait; a refusal's `retry_after` is waited for too.
        on_retry: called before each wait, in the caller's thread or task; what it raises is logged.
        clock: monotonic seconds, the clock of deadlines.
        rng: random numbers in [0, 1).

    Raises:
        ConfigurationError: `attempts` is below 1.
    """
    if attempts < 1:
        raise ConfigurationError(f"retrying({guard.scope}): attempts is {attempts}; give 1, for no retry, or more")
    hook = Hook("on_retry", guard.scope, on_retry, clock)
    return _Retries(guard=guard, on=on, attempts=attempts, backoff=backoff, on_retry=hook, clock=clock, rng=rng)
