"""Wraps calls so that they obey the decisions in force and the local brakes."""

from __future__ import annotations

import functools
import inspect
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from math import inf
from typing import Any, ParamSpec, TypeVar, cast

from snowshed.consumers.admission import Brake, Refusal
from snowshed.consumers.book import DecisionBook
from snowshed.consumers.controls import Controls
from snowshed.consumers.effective import Effective
from snowshed.consumers.permit import Outcome, Permit
from snowshed.consumers.view import DecisionView
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import Criticality, call_context

__all__ = ["Guard", "GuardEvent", "GuardStats"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_REFRESH = 0.05


@dataclass(frozen=True, slots=True)
class GuardEvent:
    """A call was refused, or would have been by a shadow decision."""

    scope: str
    operation: str
    criticality: Criticality
    attempt: int
    refusal: Refusal
    enforced: bool
    """False when the call went on because the decision is only a shadow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardStats:
    """What a Guard has done since it was made, and what it obeys."""

    admitted: int
    in_flight: int
    rejected: dict[Brake, int]
    would_have_rejected: dict[Criticality, int]
    """Calls that shadow decisions would have refused, by class."""
    outcomes: dict[Outcome, int]
    baseline: float | None
    """Admitted first attempts per second, frozen while a decision is in force; None until it is known."""
    effective: Effective
    last_explanation: str
    """Why the last refused call was refused; empty before the first."""


def _ignore(_event: GuardEvent) -> None:
    """The default listener."""


class Guard:
    """Admits or refuses calls to one scope; safe to share between threads and tasks.

    Usable as `with guard("read"):`, as `async with guard("read"):`, or as a decorator, `@guard.protect`. What is not
    given for a call is inherited from the request being served. Nothing here waits or does I/O: without a view, or
    when the control plane is lost, the retry budget alone is left.

    Args:
        scope: the service, API or dataset that is called, or that this process is.
        view: where decisions come from; None for local brakes only.
        caller: the calling service, to also obey decisions about the edge `caller>scope`.
        clock: monotonic seconds, the same clock as the view's.
        rng: random numbers in [0, 1).
        on_event: called at every refusal, in the caller's thread.
    """

    def __init__(
        self,
        scope: str,
        *,
        view: DecisionView | None = None,
        caller: str = "",
        clock: Callable[[], float] = time.monotonic,
        rng: Callable[[], float] = random.random,
        on_event: Callable[[GuardEvent], None] = _ignore,
    ) -> None:
        self.scope = scope
        self.view = view
        """Where decisions come from; may be replaced."""
        self._caller = caller
        self._clock = clock
        self._rng = rng
        self._on_event = on_event
        self._lock = threading.Lock()
        self._local = Effective(scope=scope)
        self._controls = Controls(self._local, clock())
        self._book: DecisionBook | None = None
        self._refresh_at = -inf
        self._admitted = 0
        self._released = 0
        self._rejected: Counter[Brake] = Counter()
        self._would_have_rejected: Counter[Criticality] = Counter()
        self._failed: Counter[Outcome] = Counter()
        self._last_explanation = ""

    def __call__(
        self,
        operation: str = "",
        *,
        attempt: int | None = None,
        criticality: Criticality | None = None,
        cohort: int | None = None,
        exempt: bool = False,
    ) -> Permit:
        """Admits a call and returns its permit.

        Args:
            operation: what is called, for events.
            attempt: 0 for a first attempt; inherited when left out.
            criticality: the call's class; inherited when left out.
            cohort: 0 to 127 within the class; inherited when left out.
            exempt: never refuse it: heartbeats, health checks.

        Raises:
            Rejected: a brake refused the call.
        """
        answer = self._admit(operation, attempt, criticality, cohort, exempt)
        if isinstance(answer, Permit):
            return answer
        raise Rejected(self.scope, answer.reason, retry_after=answer.retry_after, decision_id=answer.decision_id)

    admit = __call__

    def try_admit(
        self,
        operation: str = "",
        *,
        attempt: int | None = None,
        criticality: Criticality | None = None,
        cohort: int | None = None,
        exempt: bool = False,
    ) -> Permit | Refusal:
        """Like a call of the guard, but returns the refusal instead of raising it."""
        return self._admit(operation, attempt, criticality, cohort, exempt)

    def retry_allowed(self, attempt: int = 1) -> bool:
        """Whether retry number `attempt` may be made; charges the budget, so ask once, before waiting for its turn."""
        now = self._clock()
        with self._lock:
            refusal = self._tuned(now).brakes.schedule_retry(attempt)
        if refusal is None:
            return True
        self._note(GuardEvent(self.scope, "retry", call_context().criticality, attempt, refusal, enforced=True))
        return False

    def protect(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Admits every call of a function, plain or async, under its name."""
        name = function.__qualname__
        if inspect.iscoroutinefunction(function):
            return cast(Callable[_P, _R], self._protect_async(function, name))

        @functools.wraps(function)
        def protected(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with self(name):
                return function(*args, **kwargs)

        return protected

    def _protect_async(
        self, function: Callable[_P, Coroutine[Any, Any, _R]], name: str
    ) -> Callable[_P, Coroutine[Any, Any, _R]]:
        @functools.wraps(function)
        async def protected(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with self(name):
                return await function(*args, **kwargs)

        return protected

    @property
    def effective(self) -> Effective:
        """What is in force now; its degrade level steers the host's feature knobs."""
        now = self._clock()
        with self._lock:
            return self._tuned(now).effective

    @property
    def stats(self) -> GuardStats:
        """A snapshot of all counts."""
        now = self._clock()
        with self._lock:
            controls = self._tuned(now)
            succeeded = self._released - self._failed.total()
            return GuardStats(
                admitted=self._admitted,
                in_flight=self._admitted - self._released,
                rejected=dict(self._rejected),
                would_have_rejected=dict(self._would_have_rejected),
                outcomes=dict(+Counter({Outcome.SUCCEEDED: succeeded, **self._failed})),
                baseline=controls.baseline,
                effective=controls.effective,
                last_explanation=self._last_explanation,
            )

    def _admit(
        self, operation: str, attempt: int | None, criticality: Criticality | None, cohort: int | None, exempt: bool
    ) -> Permit | Refusal:
        if attempt is None or criticality is None or cohort is None:
            context = call_context()
            attempt = context.attempt if attempt is None else attempt
            criticality = context.criticality if criticality is None else criticality
            cohort = context.cohort if cohort is None else cohort
        now = self._clock()
        refusal = shadowed = None
        with self._lock:
            controls = self._tuned(now)
            if not exempt:
                refusal = controls.brakes.check(criticality, cohort, attempt, self._rng, now)
                if refusal is None:
                    if controls.shadow is not None:
                        shadowed = controls.shadow.check(criticality, cohort, attempt, self._rng, now)
                    if not attempt:
                        controls.demand.counted += 1
            if refusal is None:
                self._admitted += 1
        if refusal is not None:
            self._note(GuardEvent(self.scope, operation, criticality, attempt, refusal, enforced=True))
            # Spread over ±25 %, so that callers refused together do not come back together.
            return replace(refusal, retry_after=refusal.retry_after * (0.75 + 0.5 * self._rng()))
        if shadowed is not None:
            self._note(GuardEvent(self.scope, operation, criticality, attempt, shadowed, enforced=False))
        return Permit(self._release)

    def _tuned(self, now: float) -> Controls:
        """The controls, tuned anew when a decision has changed and several times a second while they fade."""
        view = self.view
        book = None if view is None else view.book
        if now >= self._refresh_at or book is not self._book:
            self._book = book
            self._refresh_at = now + _REFRESH
            effective = self._local if view is None else view.for_scope(self.scope, caller=self._caller)
            self._controls.tune(effective, now)
        return self._controls

    def _release(self, outcome: Outcome) -> None:
        with self._lock:
            self._released += 1
            if outcome is not Outcome.SUCCEEDED:
                self._failed[outcome] += 1

    def _note(self, event: GuardEvent) -> None:
        with self._lock:
            if event.enforced:
                self._rejected[event.refusal.brake] += 1
                self._last_explanation = event.refusal.reason
            else:
                self._would_have_rejected[event.criticality] += 1
        self._on_event(event)
