"""Carries runbooks out: what is decided about actions is written first and done after that.

See `states` for what holds when it dies, and `ledger` for what keeps a second one from acting at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from itertools import chain
from threading import Event

import structlog

from snowshed.consumers.actions.executors.base import Job, Result, Verdict
from snowshed.consumers.actions.judge import lost, next_states, ordered, recovered
from snowshed.consumers.actions.leading import Leadership
from snowshed.consumers.actions.ledger import Ledger, Overtaken
from snowshed.consumers.actions.runbook import Plan, Step
from snowshed.consumers.actions.situation import Situation
from snowshed.consumers.actions.states import ActionEvent, advanced
from snowshed.consumers.actions.values import Unfit
from snowshed.consumers.following.follower import Follower
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable
from snowshed.schemas.records import ActionState, ActionStatus, Guarantee
from snowshed.schemas.topics import Topics

__all__ = ["FOLLOWED", "Executive", "Moment"]

log = structlog.get_logger()

FOLLOWED = ("incidents", "decisions", "health", "actions")
"""Topics that tell what a runbook depends on."""
_AT_ONCE = 8
_TURN = 0.1
_BACK_OFF = 1.0
_PAUSE = 1.0
"""Seconds before a second run, twice as many before a third."""
_STALE = 5.0
"""Seconds without word from Kafka after which nothing new is begun: an incident may have closed."""


class Moment(Enum):
    """Where an executor may die, for tests."""

    PROPOSED = "proposed"
    CLAIMED = "claimed"
    RUNNING = "running"
    """It is in the log that the action runs, and it has not begun."""
    ENDED = "ended"
    """It has ended, and that is not in the log."""


def _unwatched(_moment: Moment, _state: ActionState) -> None:
    """Nobody watches."""


class Executive:
    """One of several executors, of which one acts.

    Args:
        connection: where Kafka is.
        topics: full topic names.
        plan: the runbooks.
        me: what this executor is called in records.
        codec: reads and writes records.
        reached: told how far an action has come.
        ready: called once it acts, or stands by because another does.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Topics,
        plan: Plan,
        *,
        me: str,
        codec: Codec | None = None,
        reached: Callable[[Moment, ActionState], None] = _unwatched,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        codec = codec or Codec()
        self._plan, self._me, self._reached = plan, me, reached
        self._situation = Situation()
        self._follower = Follower(
            connection,
            [topics.full(short) for short in FOLLOWED],
            lambda delivery: self._situation.take(delivery.record),
            codec=codec,
            name="actions",
        )
        self._leadership = Leadership(connection, topics)
        self._ledger = Ledger(connection, topics, codec)
        self._jobs: dict[str, tuple[ActionState, Future[Result]]] = {}
        self._again_at = 0.0
        self._ready: Callable[[], None] | None = ready

    def run(self, stop: Event) -> None:
        """Act until `stop` is set; actions that run then are waited for, each at most for its own time.

        Raises:
            ConfigurationError: the broker denies a permission.
        """
        self._follower.start()
        with ThreadPoolExecutor(_AT_ONCE, "snowshed-action") as pool:
            try:
                while not stop.is_set():
                    self._leadership.poll(_TURN)
                    self._attempt(lambda: self._turn(pool, stop))
                    self._tell_ready()
                while self._jobs:
                    self._leadership.poll(_TURN)
                    self._attempt(self._gather)
            finally:
                self._leadership.close()
                self._ledger.resign()
                self._follower.stop()

    def _attempt(self, turn: Callable[[], None]) -> None:
        if time.monotonic() < self._again_at:
            return
        try:
            turn()
        except Overtaken as error:
            log.warning("executor_overtaken", reason=str(error))
            self._abandon()
        except BrokerUnavailable as error:
            log.warning("actions_not_written", reason=str(error), consequence="what stands is read anew")
            self._again_at = time.monotonic() + _BACK_OFF

    def _turn(self, pool: ThreadPoolExecutor, stop: Event) -> None:
        if not self._leadership.leads:
            # A successor shuts us out when it begins; until then what we have begun may still be written.
            if self._jobs:
                self._gather()
            else:
                self._ledger.resign()
            return
        if not self._ledger.open and not self._take_over(stop):
            self._ledger.resign()
            return
        self._gather()
        if time.monotonic() - self._follower.last_progress <= _STALE:
            self._judge()
            self._begin(pool)

    def _tell_ready(self) -> None:
        stands_by = self._leadership.settled and not self._leadership.leads
        if self._ready is not None and (self._ledger.open or stands_by):
            self._ready()
            self._ready = None

    def _take_over(self, stop: Event) -> bool:
        self._ledger.take_over()
        since = time.monotonic()
        while self._follower.last_progress < since:
            self._leadership.poll(_TURN)
            if stop.is_set() or not self._leadership.leads:
                return False
        with self._situation.still():
            left = [*recovered(self._plan, self._situation, self._jobs.keys(), time.time(), self._me)]
        self._write(left)
        log.info("executor_acts", taken_over=len(left))
        return True

    def _judge(self) -> None:
        changes: list[ActionState] = []
        with self._situation.trial() as situation:
            now, orders = time.time(), [*situation.orders.values()]
            answers = (ordered(situation, order, now) for order in orders)
            for state in chain(filter(None, answers), next_states(self._plan, situation, now, self._me)):
                situation.apply(state)
                changes.append(state)
        self._write(changes)
        with self._situation.still() as situation:
            for order in orders:
                if situation.orders.get(order.action_id) is order:
                    del situation.orders[order.action_id]

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        now = time.time()
        with self._situation.still() as situation:
            ready = [
                state
                for state in situation.actions.values()
                if state.action_id not in self._jobs and _begins(state, now)
            ]
        for state in ready[: _AT_ONCE - len(self._jobs)]:
            self._start(state, pool)

    def _start(self, state: ActionState, pool: ThreadPoolExecutor) -> None:
        step = self._plan.step(state.runbook, state.step)
        if step is None:
            return
        if state.status is ActionStatus.CLAIMED:
            state = advanced(
                state, ActionEvent.START, time.time(), by=self._me, reason=state.reason, attempt=state.attempt + 1
            )
            self._write([state])
        log.info("action_begins", action=state.action_id, runbook=state.runbook, target=state.target)
        self._jobs[state.action_id] = (state, pool.submit(self._carry_out, step, state, self._values(state)))

    def _values(self, state: ActionState) -> dict[str, str]:
        incident = self._situation.incidents.get(state.incident_id)
        told = {"service": state.service, "node": state.node, "domain": state.domain, "incident": state.incident_id}
        return {name: value for name, value in told.items() if value} | (
            {} if incident is None else self._situation.values(incident)
        )

    def _carry_out(self, step: Step, state: ActionState, values: dict[str, str]) -> Result:
        self._reached(Moment.RUNNING, state)
        job = Job(
            key=state.action_id,
            kind=step.kind,
            runbook=state.runbook,
            values=values,
            timeout=step.timeout,
            attempt=state.attempt,
        )
        try:
            result = step.executor.run(job)
        except Unfit as error:
            result = Result(Verdict.FAILED, str(error))
        except Exception as error:
            # A thread's boundary: whatever an executor did not foresee leaves an action of which nobody knows.
            log.exception("action_broke_off", action=state.action_id)
            result = Result(Verdict.UNKNOWN, f"{type(error).__name__}: {error}")
        self._reached(Moment.ENDED, state)
        return result

    def _gather(self) -> None:
        ended = [(state, future.result()) for state, future in self._jobs.values() if future.done()]
        for state, result in ended:
            following = self._ended(state, result)
            self._write([following])
            del self._jobs[state.action_id]
            log.info("action_ended", action=state.action_id, status=following.status.value, output=result.output)

    def _ended(self, state: ActionState, result: Result) -> ActionState:
        now = time.time()
        if result.verdict is Verdict.UNKNOWN:
            step = self._plan.step(state.runbook, state.step)
            return lost(state, step, now, self._me, reason="its answer was lost", output=result.output)
        event = ActionEvent.SUCCEED if result.verdict is Verdict.DONE else ActionEvent.FAIL
        return advanced(state, event, now, by=self._me, reason=state.reason, output=result.output)

    def _write(self, states: Iterable[ActionState]) -> None:
        states = [*states]
        if not states:
            return
        for state in states:
            if state.status is ActionStatus.CLAIMED:
                self._reached(Moment.PROPOSED, state)
        self._ledger.write(states)
        for state in states:
            self._situation.apply(state)
            if state.status is ActionStatus.CLAIMED:
                self._reached(Moment.CLAIMED, state)

    def _abandon(self) -> None:
        """What this executor had in hand is its successor's, which knows what to make of it."""
        self._leadership.doubt()
        self._ledger.resign()
        self._jobs = {}


def _begins(state: ActionState, now: float) -> bool:
    """Whether an action is to be begun: what was claimed, and once more what may be and was lost."""
    again = state.status is ActionStatus.RUNNING and state.guarantee is Guarantee.IDEMPOTENT
    return state.status is ActionStatus.CLAIMED or (again and now >= state.at + _PAUSE * (state.attempt - 1))
