"""All brakes of one scope in their order; pure.

::

    degrade → breaker → attempt cap → retry budget → rate

What refuses for free comes first; what uses up a token comes last, so that a call refused by another brake costs none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import inf

from snowshed.consumers.brakes.breaker import trips
from snowshed.consumers.brakes.degrade import LOWEST_PRIORITY, priority
from snowshed.consumers.brakes.retry_budget import RetryBudget
from snowshed.consumers.brakes.token_bucket import TokenBucket
from snowshed.consumers.effective import Effective
from snowshed.schemas.records import Decision

__all__ = ["Brake", "Brakes", "Refusal"]

_RETRY_LATER = 1.0
_LONGEST_RETRY_AFTER = 10.0


class Brake(Enum):
    """What refused a call."""

    DEGRADE = "degrade"
    BREAKER = "breaker"
    ATTEMPTS = "attempts"
    RETRY = "retry"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was refused."""

    brake: Brake
    reason: str
    retry_after: float
    """Seconds after which another try may succeed."""
    decision_id: str = ""
    """The decision behind it; empty when a local brake acted alone."""


class Brakes:
    """The state of one scope's brakes, tuned several times a second and asked at every call."""

    __slots__ = ("_bucket", "_budget", "_effective", "_is_limited", "_lowest_priority", "_p_reject")

    def __init__(self, effective: Effective, now: float) -> None:
        self._bucket = TokenBucket(now)
        self._budget = RetryBudget(now)
        self.tune(effective, None, now)

    def tune(self, effective: Effective, baseline: float | None, now: float) -> None:
        """Sets every brake to what is in force; `baseline` is the rate from before the incident, None while unknown."""
        self._effective = effective
        self._lowest_priority = effective.lowest_priority
        self._p_reject = effective.p_reject
        self._bucket.tune(effective.rate_limit(baseline), now)
        self._is_limited = self._bucket.limit < inf
        self._budget.tune(effective.retry_budget, effective.retry_floor, now)

    def check(
        self, criticality: int, cohort: int, attempt: int, draw: Callable[[], float], now: float
    ) -> Refusal | None:
        """None when every brake lets the call pass; `draw` gives a random number in [0, 1)."""
        if self._lowest_priority < LOWEST_PRIORITY and priority(criticality, cohort) > self._lowest_priority:
            return self._too_low()
        if self._p_reject and trips(self._p_reject, draw()):
            return self._tripped()
        if attempt:
            refusal = self._check_retry(attempt)
            if refusal is not None:
                return refusal
        if self._is_limited:
            wait = self._bucket.take(now)
            if wait:
                return self._over_rate(wait)
        if not attempt:
            self._budget.first()
        return None

    def schedule_retry(self, attempt: int) -> Refusal | None:
        """Charges retry number `attempt` before it is waited for; None when it may be made."""
        cap = self._effective.attempt_cap
        if cap is not None and attempt >= cap:
            return self._too_many_attempts(cap)
        return None if self._budget.schedule() else self._over_budget()

    def _check_retry(self, attempt: int) -> Refusal | None:
        cap = self._effective.attempt_cap
        if cap is not None and attempt >= cap:
            return self._too_many_attempts(cap)
        return None if self._budget.send() else self._over_budget()

    def _too_low(self) -> Refusal:
        def acts(decision: Decision) -> bool:
            return bool(decision.degrade_level) or decision.priority_floor is not None

        level = self._effective.degrade_level
        reason = f"degrade level {level} admits priorities up to {self._lowest_priority}"
        return Refusal(Brake.DEGRADE, reason, _LONGEST_RETRY_AFTER, self._effective.decision_id(acts))

    def _tripped(self) -> Refusal:
        reason = f"the breaker refuses {self._effective.p_reject:.0%} of calls"
        decision_id = self._effective.decision_id(lambda decision: bool(decision.p_reject))
        return Refusal(Brake.BREAKER, reason, _RETRY_LATER, decision_id)

    def _too_many_attempts(self, cap: int) -> Refusal:
        decision_id = self._effective.decision_id(lambda decision: decision.attempt_cap is not None)
        return Refusal(Brake.ATTEMPTS, f"more than {cap} attempts", _LONGEST_RETRY_AFTER, decision_id)

    def _over_budget(self) -> Refusal:
        def acts(decision: Decision) -> bool:
            return decision.retry_budget is not None or bool(decision.degrade_level)

        reason = f"the retry budget of {self._budget.ratio:.0%} is spent"
        return Refusal(Brake.RETRY, reason, _RETRY_LATER, self._effective.decision_id(acts))

    def _over_rate(self, wait: float) -> Refusal:
        def acts(decision: Decision) -> bool:
            return decision.rate_multiplier is not None or decision.per_instance_fallback is not None

        reason = f"more than {self._bucket.limit:.1f} calls per second" if wait < inf else "no calls are admitted"
        return Refusal(Brake.RATE, reason, min(wait, _LONGEST_RETRY_AFTER), self._effective.decision_id(acts))
