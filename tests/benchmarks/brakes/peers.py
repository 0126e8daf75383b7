"""What else a Python program would put into the same places, configured as its documentation recommends.

Retries are tenacity's for all of them: exponential back-off with full jitter, `wait_random_exponential(multiplier=1,
max=60)`, as many attempts as the scenario's caller has. Breakers open after 5 failures on end, the default of all
three; they stay open for 5 s and not for their default of 30 or 60, which would outlast a run. Limiters are told
90 % of the true capacity, which ours have to find out.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any

import limits
import pybreaker
from aiolimiter import AsyncLimiter
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from snowshed.schemas.errors import Rejected
from snowshed.streams.lab.arrangements import Here, Send, Work
from snowshed.streams.lab.specs import Patience
from snowshed.streams.lab.wire import CallFailed, Reply, Request

__all__ = [
    "BOTTLENECK",
    "LIMIT",
    "aiobreaker_",
    "aiolimiter_",
    "assembled",
    "limits_",
    "purgatory_",
    "pybreaker_",
    "tenacity_",
]

LIMIT = "CONTROL_LOCAL_LIMIT"
"""Environment variable: requests a second that limiters let pass."""
BOTTLENECK = "server"
"""The service that has it."""

aiobreaker: Any = import_module("aiobreaker")  # it has no types

_RETRIED = (TimeoutError, ConnectionError, CallFailed, Rejected)
_FAILURES = 5
_OPEN_FOR = 5

Attempt = Callable[[], Awaitable[Reply]]
Around = Callable[[Attempt], Awaitable[Reply]]
"""Makes one attempt, or refuses it."""


class _Open(Exception):
    """The breaker is open."""


async def _nothing(attempt: Attempt) -> Reply:
    return await attempt()


@dataclass(frozen=True, slots=True)
class _Caller:
    around: Around

    async def call(self, operation: str, send: Send, patience: Patience) -> Reply:  # noqa: ARG002 - all alike
        """Retries outside, the breaker or limiter inside."""
        retrying = AsyncRetrying(
            stop=stop_after_attempt(patience.attempts),
            wait=wait_random_exponential(multiplier=1, max=60),
            retry=retry_if_exception_type(_RETRIED),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    number = attempt.retry_state.attempt_number - 1
                    return await self.around(partial(send, number, patience.timeout))
        except _Open as error:
            raise Rejected(BOTTLENECK, "the breaker is open", retry_after=0.0) from error
        raise AssertionError("tenacity returns or raises")

    def hit(self, operation: str) -> None:
        """Nothing to count."""


@dataclass(frozen=True, slots=True)
class _Server:
    admits: Callable[[], Awaitable[bool]]

    async def serve(self, request: Request, work: Work) -> Reply:  # noqa: ARG002 - all alike
        """Refuses what is above the limit."""
        if await self.admits():
            return await work()
        raise Rejected("server", "more than its limit", retry_after=0.0)


@dataclass(frozen=True, slots=True)
class _Peer:
    here: Here
    around: Callable[[], Around]
    """Makes a caller's breaker or limiter, one a callee."""
    is_limited: bool = False

    def caller(self, callee: str) -> _Caller:
        """A client's side."""
        guards_bottleneck = callee == BOTTLENECK
        return _Caller(self.around() if guards_bottleneck else _nothing)

    def server(self) -> _Server:
        """A server's side."""
        is_limited = self.is_limited and self.here.service == BOTTLENECK
        return _Server(_limit() if is_limited else _always)

    def close(self) -> None:
        """Nothing to let go of."""


async def _always() -> bool:
    return True


def _limited_to() -> int:
    return int(os.environ[LIMIT])


def _limit() -> Callable[[], Awaitable[bool]]:
    limiter = MovingWindowRateLimiter(MemoryStorage())
    item = limits.RateLimitItemPerSecond(_limited_to())

    async def admits() -> bool:
        return await limiter.hit(item, BOTTLENECK)

    return admits


def _with_pybreaker() -> Around:
    breaker = pybreaker.CircuitBreaker(fail_max=_FAILURES, reset_timeout=_OPEN_FOR, exclude=[Rejected])

    async def around(attempt: Attempt) -> Reply:
        try:
            with breaker.calling():
                return await attempt()
        except pybreaker.CircuitBreakerError as error:
            raise _Open from error

    return around


def _with_aiobreaker() -> Around:
    breaker = aiobreaker.CircuitBreaker(
        fail_max=_FAILURES, timeout_duration=timedelta(seconds=_OPEN_FOR), exclude=[Rejected]
    )

    async def around(attempt: Attempt) -> Reply:
        try:
            reply: Reply = await breaker.call_async(attempt)
        except aiobreaker.CircuitBreakerError as error:
            raise _Open from error
        return reply

    return around


def _with_purgatory() -> Around:
    breakers = AsyncCircuitBreakerFactory(default_threshold=_FAILURES, default_ttl=_OPEN_FOR, exclude=[Rejected])

    async def around(attempt: Attempt) -> Reply:
        try:
            async with await breakers.get_breaker(BOTTLENECK):
                return await attempt()
        except OpenedState as error:
            raise _Open from error

    return around


def _with_aiolimiter() -> Around:
    limiter = AsyncLimiter(_limited_to(), 1)

    async def around(attempt: Attempt) -> Reply:
        async with limiter:
            return await attempt()

    return around


def _with_nothing() -> Around:
    return _nothing


def tenacity_(here: Here) -> _Peer:
    """Retries alone."""
    return _Peer(here, _with_nothing)


def pybreaker_(here: Here) -> _Peer:
    """A breaker of pybreaker."""
    return _Peer(here, _with_pybreaker)


def aiobreaker_(here: Here) -> _Peer:
    """A breaker of aiobreaker."""
    return _Peer(here, _with_aiobreaker)


def purgatory_(here: Here) -> _Peer:
    """A breaker of purgatory."""
    return _Peer(here, _with_purgatory)


def aiolimiter_(here: Here) -> _Peer:
    """The caller keeps to its limit, by waiting."""
    return _Peer(here, _with_aiolimiter)


def limits_(here: Here) -> _Peer:
    """The bottleneck keeps to its limit, by refusing."""
    return _Peer(here, _with_nothing, is_limited=True)


def assembled(here: Here) -> _Peer:
    """All that these libraries have for it: retries, a breaker and a limit."""
    return _Peer(here, _with_purgatory, is_limited=True)
