"""The brakes that decisions set for one scope, in their order; pure.

::

    degrade → breaker │ attempt cap → retry budget → pace → rate

What stands before the bar refuses for free, and the local brakes come between (`local`). What stands behind
it uses up tokens: it is asked first and charged only when all of it lets the call pass, so a refused call costs none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import inf

from snowshed.consumers.brakes.breaker import trips
from snowshed.consumers.brakes.degrade import priority
from snowshed.consumers.brakes.leaky_bucket import LeakyBucket
from snowshed.consumers.brakes.retry_budget import RetryBudget
from snowshed.consumers.brakes.token_bucket import TokenBucket
from snowshed.consumers.decisions.effective import Effective
from snowshed.schemas.errors import Rejected
from snowshed.schemas.records import Decision

__all__ = ["Brake", "Brakes", "Refusal"]

_RETRY_LATER = 1.0
_LONGEST_RETRY_AFTER = 10.0


class Brake(Enum):
    """What refused a call, in the order in which they are asked."""

    DEGRADE = "degrade"
    BREAKER = "breaker"
    """A decision's."""
    DEADLINE = "deadline"
    QUEUE = "queue"
    CIRCUIT = "circuit"
    """The Guard's own breaker."""
    BULKHEAD = "bulkhead"
    TENANT = "tenant"
    LIMIT = "limit"
    THROTTLE = "throttle"
    ATTEMPTS = "attempts"
    RETRY = "retry"
    PACE = "pace"
    RATE = "rate"


_NO_RETRY = frozenset({Brake.DEADLINE, Brake.ATTEMPTS, Brake.RETRY})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was refused."""

    brake: Brake
    reason: str
    retry_after: float
    """Seconds after which another try may succeed."""
    decision_id: str = ""
    """The decision behind it; empty when a local brake acted alone."""

    @property
    def retriable(self) -> bool:
        """Whether a later try of the same call may be made; a spent budget, attempt cap or deadline says no."""
        return self.brake not in _NO_RETRY

    def error(self, scope: str) -> Rejected:
        """The refusal as the exception that a caller of a scope sees."""
        return Rejected(
            scope,
            self.reason,
            retry_after=self.retry_after,
            decision_id=self.decision_id,
            retriable=self.retriable,
        )


class Brakes:
    """The state of one scope's brakes, tuned several times a second and asked at every call."""

    __slots__ = ("_bucket", "_budget", "_effective", "_is_limited", "_lowest_priority", "_p_reject", "_pace")

    def __init__(self, effective: Effective, now: float, pace: LeakyBucket | None = None) -> None:
        self._bucket = TokenBucket(now)
        self._pace = pace
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
        level = priority(criticality, cohort)
        return self.refuse(level, draw) or self.spend(level, attempt, now)

    def refuse(self, level: int, draw: Callable[[], float]) -> Refusal | None:
        """None when the brakes that use up nothing let a call of this priority pass."""
        if level > self._lowest_priority:
            return self._too_low()
        if self._p_reject and trips(self._p_reject, draw()):
            return self._tripped()
        return None

    def spend(self, level: int, attempt: int, now: float) -> Refusal | None:
        """None when a call of this priority has paid the brakes that use up tokens; a refusal charges nothing."""
        pace = self._pace
        if not attempt and pace is None and not self._is_limited:
            self._budget.first()
            return None
        if attempt and (refusal := self._check_retry(attempt)) is not None:
            return refusal
        if pace is not None and (wait := pace.wait(now)):
            return Refusal(Brake.PACE, "calls come too close together", wait)
        if self._is_limited and (wait := self._bucket.wait(now, level)):
            return self._over_rate(wait)
        self._charge(attempt)
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
        return None if self._budget.can_send else self._over_budget()

    def _charge(self, attempt: int) -> None:
        if attempt:
            self._budget.send()
        else:
            self._budget.first()
        if self._pace is not None:
            self._pace.add()
        if self._is_limited:
            self._bucket.use()

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
