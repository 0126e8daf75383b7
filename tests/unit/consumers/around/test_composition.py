"""The layers around a call, one inside the other."""

from __future__ import annotations

import asyncio

from snowshed.consumers import Guard, Outcome
from snowshed.consumers.around import AsyncStaleCache, Backoff, Cached, hedging, retrying
from snowshed.consumers.testing import decision, set_decisions
from snowshed.schemas.errors import Rejected
from snowshed.schemas.records import DecisionKind


async def test_one_failure_behind_a_cache_costs_one_retry_however_many_wait() -> None:
    guard = Guard("catalogue")
    cache = AsyncStaleCache[int, str](guard, ttl=5.0, bound=60.0)
    failures = [ConnectionResetError()]

    @retrying(guard, backoff=Backoff(first=0.001))
    @hedging(guard)
    async def load() -> str:
        await asyncio.sleep(0)
        if failures:
            raise failures.pop()
        return "item"

    answers = await asyncio.gather(*(cache.get(7, load) for _ in range(100)))
    assert {answer.value for answer in answers} == {"item"}
    assert guard.stats.admitted == 2
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1, Outcome.IGNORED: 1}


async def test_a_refused_refresh_serves_what_there_is_and_is_not_tried_again() -> None:
    guard = Guard("catalogue")
    cache = AsyncStaleCache[int, str](guard, ttl=0.0, bound=60.0, stale_on=(Rejected,))

    @retrying(guard)
    @guard.protect
    async def load() -> str:
        return "item"

    await cache.get(7, load)
    with set_decisions(guard, decision("catalogue", DecisionKind.BREAKER, p_reject=1.0)):
        answer: Cached[str] = await cache.get(7, load)
    assert (answer.value, answer.stale) == ("item", True)
    assert sum(guard.stats.rejected.values()) == 1
