"""Wraps calls so that they obey the decisions in force and the local brakes."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import ParamSpec, TypeVar

from snowshed.consumers.admission.controls import Controls
from snowshed.consumers.admission.decided import Refusal
from snowshed.consumers.brakes.degrade import bounded, priority
from snowshed.consumers.crowding import sleep_while
from snowshed.consumers.decisions.book import DecisionBook
from snowshed.consumers.decisions.effective import Effective
from snowshed.consumers.decisions.view import DecisionView
from snowshed.consumers.hooks import Hook
from snowshed.consumers.local import LocalBrakes
from snowshed.consumers.permit import Permit
from snowshed.consumers.protecting import protected
from snowshed.consumers.reporting import GuardEvent, GuardStats
from snowshed.consumers.tally import Tally
from snowshed.schemas.forking import survive_fork
from snowshed.schemas.propagation import COHORTS, LOWEST_PRIORITY, Criticality, call_context

__all__ = ["Guard", "GuardEvent", "GuardStats"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_REFRESH = 0.05
_DEFAULT = LocalBrakes()


def _ignore(_event: GuardEvent) -> None:
    """The default listener."""


class Guard:
    """Admits or refuses calls to one scope; safe to share between threads and tasks.

    Usable as `with guard("read"):`, as `async with guard("read"):`, or as a decorator, `@guard.protect`. What is not
    given for a call is inherited from the request being served. Nothing here waits or does I/O: without a view, or
    when the control plane is lost, the local brakes alone are left. A forked child counts and learns anew.

    Args:
        scope: the service, API or dataset that is called, or that this process is.
        view: where decisions come from; None for local brakes only.
        caller: the calling service, to also obey decisions about the edge `caller>scope`.
        local: the brakes that need no decision.
        clock: monotonic seconds, the same clock as the view's.
        rng: random numbers in [0, 1).
        on_event: called at every refusal, in the caller's thread; what it raises is logged.
    """

    def __init__(
        self,
        scope: str,
        *,
        view: DecisionView | None = None,
        caller: str = "",
        local: LocalBrakes = _DEFAULT,
        clock: Callable[[], float] = time.monotonic,
        rng: Callable[[], float] = random.random,
        on_event: Callable[[GuardEvent], None] = _ignore,
    ) -> None:
        self.scope = scope
        self.view = view
        """Where decisions come from; may be replaced."""
        self.slots: int | None = None
        """Requests that the host serves at a time, where it says so; a `WaitQueue` does."""
        self._caller = caller
        self._clock = clock
        self._rng = rng
        self._on_event = Hook("on_event", scope, on_event, clock)
        self._options = local
        self.after_fork()
        survive_fork(self)

    def after_fork(self) -> None:
        """Starts anew: a forked child has calls and rates of its own, and none of the threads that hold a lock."""
        # A finaliser or a signal handler may make or end a call in the midst of this thread's own.
        self._lock = threading.RLock()
        self._inside = False
        self._tally = Tally()
        self._local = Effective(scope=self.scope)
        self.controls = Controls(self._local, self._clock(), self._options, self._rng)
        """What it decides by; nobody else should touch it but tests."""
        self._book: DecisionBook | None = None
        self._refresh_at = -inf

    def __call__(
        self,
        operation: str = "",
        *,
        attempt: int | None = None,
        criticality: Criticality | None = None,
        cohort: int | None = None,
        exempt: bool = False,
        deadline: float | None = None,
        queued_for: float = 0.0,
        tenant: str = "",
    ) -> Permit:
        """Admits a call and returns its permit.

        Args:
            operation: what is called, for events and bulkheads.
            attempt: 0 for a first attempt; inherited when left out.
            criticality: the call's class; inherited when left out.
            cohort: 0 to 127 within the class, to which others are bounded; inherited when left out.
            exempt: never refuse it: heartbeats, health checks.
            deadline: when the answer becomes worthless, by the Guard's clock; inherited when left out.
            queued_for: seconds that the request has waited in this process.
            tenant: on whose behalf, for the tenant cap.

        Raises:
            Rejected: a brake refused the call.
        """
        answer = self._decide(operation, attempt, criticality, cohort, exempt, deadline, queued_for, tenant)
        if isinstance(answer, Permit):
            return answer
        raise answer.error(self.scope)

    admit = __call__

    def try_admit(
        self,
        operation: str = "",
        *,
        attempt: int | None = None,
        criticality: Criticality | None = None,
        cohort: int | None = None,
        exempt: bool = False,
        deadline: float | None = None,
        queued_for: float = 0.0,
        tenant: str = "",
    ) -> Permit | Refusal:
        """Like a call of the guard, but returns the refusal instead of raising it."""
        return self._decide(operation, attempt, criticality, cohort, exempt, deadline, queued_for, tenant)

    def turn_away(
        self, operation: str = "", *, criticality: Criticality | None = None, cohort: int | None = None
    ) -> Refusal | None:
        """The refusal of a request that would wait in vain, because its priority is shed; None lets it wait.

        For hosts with a queue: ask it on arrival, and the guard itself, with `queued_for`, when the wait is over.
        """
        context = call_context()
        criticality = context.criticality if criticality is None else criticality
        cohort = context.cohort if cohort is None else cohort
        level = priority(criticality, cohort)
        refusal = self._alone(lambda controls: controls.local.turns_away(level))
        return None if refusal is None else self._refused(operation, criticality, context.attempt, refusal)

    def hear_cursor(self, cursor: int) -> None:
        """The callee has told its cursor with an answer; lower priorities need not be sent for a while."""
        now = self._clock()
        self._alone(lambda controls: controls.local.hear_cursor(cursor, now))

    def count_refusal(self, refusal: Refusal, operation: str = "", *, queued_for: float | None = None) -> Refusal:
        """Counts and reports a refusal by the host itself, such as that of a full queue; returns it with its jitter.

        Args:
            refusal: what the host says.
            operation: what was called.
            queued_for: seconds that the request has waited, so that the queue brake learns of them.
        """
        context = call_context()
        if queued_for is not None:
            self._alone(lambda controls: controls.local.gave_up(queued_for))
        return self._refused(operation, context.criticality, context.attempt, refusal)

    def retry_allowed(self, attempt: int = 1) -> bool:
        """Whether retry number `attempt` may be made; charges the budget, so ask once, before waiting for its turn."""
        refusal = self._alone(lambda controls: controls.brakes.schedule_retry(attempt))
        if refusal is None:
            return True
        self._refused("retry", call_context().criticality, attempt, refusal)
        return False

    def protect(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Admits every call of a function, plain or async, under its name."""
        return protected(self, function)

    @property
    def effective(self) -> Effective:
        """What is in force now; its degrade level steers the host's feature knobs."""
        return self._alone(lambda controls: controls.effective) or self.controls.effective

    @property
    def cursor(self) -> int:
        """The lowest priority that is not shed by queue delay, 0 to 511; told to callers, they need not send more."""
        return self.controls.local.cursor

    @property
    def concurrency(self) -> int | None:
        """Calls that may be in flight now; None without a concurrency limit."""
        return self.controls.local.concurrency

    @property
    def service_time(self) -> float | None:
        """Median seconds of a call lately; None while it is not known."""
        return self.controls.local.service_time

    @property
    def stats(self) -> GuardStats:
        """A snapshot of all counts."""
        return self._alone(self._tally.stats) or self._tally.stats(self.controls)

    def _decide(  # noqa: C901, PLR0917 - in one piece and by position, because every call comes here
        self,
        operation: str,
        attempt: int | None,
        criticality: Criticality | None,
        cohort: int | None,
        exempt: bool,
        deadline: float | None,
        queued_for: float,
        tenant: str,
    ) -> Permit | Refusal:
        context = call_context()
        attempt = context.attempt if attempt is None else attempt
        criticality = context.criticality if criticality is None else criticality
        cohort = context.cohort if cohort is None else cohort
        level = criticality * COHORTS + cohort
        if not (0 <= cohort < COHORTS and 0 <= level <= LOWEST_PRIORITY):
            criticality, cohort = bounded(criticality, cohort)
            level = priority(criticality, cohort)
        deadline = context.deadline if deadline is None else deadline
        now = self._clock()
        remaining = deadline - now if deadline is not None and deadline < inf else None  # NaN is none either
        refusal = shadowed = call = None
        if self._inside:
            sleep_while(self._occupied)
        with self._lock:
            if self._inside:
                return Permit(self._clock, now, None, None if remaining is None else max(0.0, remaining))
            self._inside = True
            try:
                controls, tally = self._tuned(now), self._tally
                local = controls.local
                if not exempt:
                    call = (operation, criticality, tenant, local.generation)
                    refusal = controls.refuse(level, call, attempt, remaining, queued_for, now)
                    if refusal is None and controls.shadow is not None:
                        shadowed = controls.shadow.check(criticality, level % COHORTS, attempt, self._rng, now)
                timeout = local.timeout
                if remaining is not None and (timeout is None or remaining < timeout):
                    timeout = remaining if remaining > 0 else 0.0
                permit = Permit(self._clock, now, call, timeout)
                if refusal is None:
                    tally.torn = True
                    if call is not None:
                        controls.admitted(level, call, attempt, remaining, now)
                    tally.admitted += 1
                    permit.ends = tally.ends
                    tally.torn = False
            finally:
                self._inside = False
        if refusal is not None:
            return self._refused(operation, criticality, attempt, refusal)
        if shadowed is not None:
            self._alone(lambda _: self._tally.shadowed(criticality))
            self._on_event(GuardEvent(self.scope, operation, criticality, attempt, shadowed, enforced=False))
        return permit

    def _refused(self, operation: str, criticality: Criticality, attempt: int, refusal: Refusal) -> Refusal:
        self._alone(lambda _: self._tally.refused(refusal))
        self._on_event(GuardEvent(self.scope, operation, criticality, attempt, refusal, enforced=True))
        # Spread over ±25 %, so that callers refused together do not come back together.
        return replace(refusal, retry_after=refusal.retry_after * (0.75 + 0.5 * self._rng()))

    def _alone(self, work: Callable[[Controls], _R]) -> _R | None:
        """What some work gives while no other thread changes anything.

        None, and the work is not done, when this thread is in the midst of a change itself.
        """
        now = self._clock()
        if self._inside:
            sleep_while(self._occupied)
        with self._lock:
            if self._inside:
                return None
            self._inside = True
            try:
                return work(self._tuned(now))
            finally:
                self._inside = False

    def _occupied(self) -> bool:
        return self._inside

    def _tuned(self, now: float) -> Controls:
        """The controls, told of all ends, and tuned when a decision has changed and several times a second."""
        tally = self._tally
        if tally.torn:
            tally.start_over(self.controls)
        if tally.ends:
            tally.hear_ends(self.controls)
        view = self.view
        book = None if view is None else view.book
        if now >= self._refresh_at or book is not self._book:
            self._book = book
            self._refresh_at = now + _REFRESH
            effective = self._local if view is None else view.for_scope(self.scope, caller=self._caller)
            self.controls.tune(effective, now, self.slots)
        return self.controls
