"""Applies waiting messages to a partition's state, one transaction a batch.

Whatever a batch changes (offsets, state, journal, outputs, dead letters) commits together; only then is the new state
published in memory. After an abort the same messages, still at hand, are folded again from the unchanged state. A batch
that cannot be folded or written is narrowed down to the record that breaks it, which goes to the dead letters.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from confluent_kafka import TopicPartition

from snowshed.schemas.errors import ServerUnavailable, SnowshedError
from snowshed.schemas.records import DeadLetter
from snowshed.streams.folding import Batch, Decoded, Fold, Message, Step
from snowshed.streams.transactions.checkpoint import due
from snowshed.streams.transactions.clock import BrokerClock
from snowshed.streams.transactions.context import LaneContext
from snowshed.streams.transactions.errors import Aborted, Stuck, Unjudged, Unwritable
from snowshed.streams.transactions.events import AbortedBatch, BatchStep, CommittedBatch, Reached
from snowshed.streams.transactions.journal import Applied
from snowshed.streams.transactions.judge import JudgeUnavailable, Work
from snowshed.streams.transactions.letters import Letters
from snowshed.streams.transactions.plan import Plan, Planner, dead_letter
from snowshed.streams.transactions.poison import Retry
from snowshed.streams.transactions.producer import Writer
from snowshed.streams.transactions.rereading import headers_at
from snowshed.streams.transactions.restore import Restored

__all__ = ["Applier"]

log = structlog.get_logger()

_MAX_UNANSWERED = 5
"""Times that nobody judges a batch before the process leaves; a judge waits half a minute each time."""


class _FoldFailed(SnowshedError):
    """The fold raised, or what it gave cannot be serialised."""


@dataclass(frozen=True, slots=True)
class _Burial:
    """A record that cannot be applied, and its letter, still to be committed."""

    message: Message
    batch: Batch[Any]
    letters: Letters


class Applier:
    """One partition's state, how far it has come, and what waits to be applied to it.

    Args:
        context: what the lanes of a worker share.
        fold: the judgement.
        source: full name of the input topic.
        partition: the input partition.
        producer: the lane's producer.
        restored: where the predecessor stopped.
    """

    def __init__(
        self,
        context: LaneContext,
        fold: Fold[Any, Any],
        source: str,
        partition: int,
        *,
        producer: Writer,
        restored: Restored,
    ) -> None:
        self._context, self._fold, self._producer = context, fold, producer
        self._source, self._partition = source, partition
        self._lane = f"{fold.agent}-{partition}"
        self._planner = Planner(fold, context.topics, context.codec, source, partition)
        self._state = {key: fold.load(raw) for key, raw in restored.values.items()}
        self._applied = restored.applied
        self._now = restored.applied.now
        self._waiting: list[Message] = []
        self._caught_up = False
        self._skipped = 0
        self._retry = Retry(0)
        self._unanswered = 0
        self._burial: _Burial | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing waits, so that more may be taken."""
        return not self._waiting

    def take(self, messages: Sequence[Message], *, caught_up: bool) -> None:
        """Take messages in offset order; those that the state already has are dropped and counted.

        Args:
            messages: none for a tick.
            caught_up: whether they reach to the partition's end.
        """
        self._waiting = [message for message in messages if message.offset >= self._applied.next_offset]
        self._skipped += len(messages) - len(self._waiting)
        self._caught_up = caught_up
        self._retry = Retry(len(self._waiting))

    def turn(self, clock: BrokerClock) -> bool:
        """Apply what waits, or a part of it, or tick; whether to go on at once, or else to pause first.

        Raises:
            TransactionError: the lane must close.
        """
        messages = self._waiting[: self._retry.size]
        if not messages and not self._caught_up:
            return True
        try:
            return self._bury(self._burial) if self._burial else self._try(messages, clock)
        except Aborted as error:
            self._report(messages, error.cause, error)
            return False

    def _try(self, messages: list[Message], clock: BrokerClock) -> bool:
        try:
            taken = self._fold_and_commit(messages, clock)
        except (_FoldFailed, Unwritable) as error:
            self._report(messages, error.cause if isinstance(error, Unwritable) else "fold", error)
            if not messages:
                return False
            if not self._retry.isolated:
                self._retry = self._retry.failed()
                return True
            self._burial = self._burial_of(messages[0], error, clock)
            return True
        self._go_on_behind(taken)
        return True

    def _go_on_behind(self, count: int) -> None:
        self._waiting = self._waiting[count:]
        self._retry = Retry(len(self._waiting))

    def _fold_and_commit(self, messages: list[Message], clock: BrokerClock) -> int:
        """Fold as many of the messages as belong in one batch, and commit that; how many those were."""
        started = time.perf_counter()
        decoded = self._decode(messages)
        messages = messages[: decoded.taken]
        batch = self._batch(messages, decoded.records, clock)
        step = self._step(batch)
        if not messages and step.empty:
            self._now = batch.now
            return 0
        letters = self._letters([(reject.message, reject.error) for reject in decoded.rejects], batch.now)
        self._commit(batch, step, letters, records=len(messages), started=started)
        return len(messages)

    def _decode(self, messages: list[Message]) -> Decoded[Any]:
        try:
            return self._fold.decode(messages)
        except ServerUnavailable as error:  # the schema registry's trouble, not the record's
            raise Aborted(str(error)) from error
        except Exception as error:  # a reader that raises must not take the partition down with it
            raise _FoldFailed(f"{type(error).__name__}: {error}") from error

    def _step(self, batch: Batch[Any]) -> Step[Any]:
        try:
            step = self._context.judge.judge(Work(self._fold, self._state, batch))
        except JudgeUnavailable as error:
            self._unanswered += 1
            if self._unanswered >= _MAX_UNANSWERED:
                raise Stuck(
                    f"agent {self._fold.agent} did not judge a batch of partition {self._partition} {_MAX_UNANSWERED} "
                    f"times running ({error}): the fold hangs, or the machine is starved"
                ) from error
            raise Unjudged(str(error)) from error
        except Exception as error:  # a rule that raises must not take the partition down with it
            self._unanswered = 0
            raise _FoldFailed(f"{type(error).__name__}: {error}") from error
        self._unanswered = 0
        return step

    def _burial_of(self, message: Message, error: SnowshedError, clock: BrokerClock) -> _Burial:
        batch = self._batch([message], None, clock)
        letters = self._letters([(message, self._cause(message, error))], batch.now)
        log.error("record_buried", lane=self._lane, offset=message.offset, reason=letters.plain[0].reason)
        return _Burial(message, batch, letters)

    def _bury(self, burial: _Burial) -> bool:
        """Put the one record that cannot be applied among the dead letters and go on behind it.

        It stays to be done until it is committed. Folding the record again in between would fail again, and a write
        that the broker refused for its size makes it refuse the next one as well, for a gap in the sequence.
        """
        try:
            self._commit(burial.batch, Step({}), burial.letters, records=1, started=time.perf_counter())
        except Unwritable as error:
            self._report([burial.message], "output", error)
            self._burial = replace(burial, letters=burial.letters.cut())
            return self._burial != burial
        self._burial = None
        self._go_on_behind(1)
        return True

    def _cause(self, message: Message, error: SnowshedError) -> BaseException:
        """What is wrong with a record: an unreadable one whose letter was too large has an error of its own."""
        rejects = self._decode([message]).rejects if isinstance(error, Unwritable) else ()
        return rejects[0].error if rejects else error.__cause__ or error

    def _letters(self, causes: Sequence[tuple[Message, BaseException]], now: float) -> Letters:
        plain = [dead_letter(self._source, self._partition, message, error, now) for message, error in causes]
        offsets = [letter.offset for letter in plain]
        context = self._context
        return Letters.with_headers(
            plain, headers_at(context.connection, context.app, self._source, self._partition, offsets)
        )

    def _commit(self, batch: Batch[Any], step: Step[Any], letters: Letters, *, records: int, started: float) -> None:
        plan = self._plan(batch, step, letters.plain, records)
        plan = replace(plan, outputs=letters.post(plan.outputs, self._context.codec))
        folded = time.perf_counter()
        self._reached(BatchStep.FOLDED)
        offsets = [TopicPartition(self._source, self._partition, batch.next_offset)]
        self._producer.commit(plan.writes, offsets, self._context.group(), self._reached)
        self._publish(step, plan.applied)
        self._context.watcher.committed(
            CommittedBatch(
                lane=self._lane,
                agent=self._fold.agent,
                partition=self._partition,
                records=records,
                emissions=len(plan.outputs),
                dead_letters=len(letters.plain),
                skipped=self._skipped,
                fold_seconds=folded - started,
                commit_seconds=time.perf_counter() - folded,
                detector_lag=batch.detector_lag,
                lost=step.lost,
                clock_off=step.clock_off,
            )
        )
        self._skipped = 0

    def _plan(self, batch: Batch[Any], step: Step[Any], letters: Sequence[DeadLetter], records: int) -> Plan:
        due_now = due(self._lane, self._applied.now, batch.now, self._context.limits.checkpoint)
        try:
            return self._planner.plan(batch, step, letters, records, checkpoint=self._state if due_now else None)
        except ServerUnavailable as error:
            raise Aborted(str(error)) from error
        except Exception as error:  # an output that cannot be serialised is the rule's fault as much as one that raises
            raise _FoldFailed(f"{type(error).__name__}: {error}") from error

    def _publish(self, step: Step[Any], applied: Applied) -> None:
        for key, value in step.changes.items():
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value
        self._applied, self._now = applied, applied.now

    def _batch(self, messages: Sequence[Message], records: Any, clock: BrokerClock) -> Batch[Any]:
        broker_now = clock.now(time.monotonic())
        newest = messages[-1].timestamp if messages else broker_now
        caught_up = self._caught_up and len(messages) == len(self._waiting)
        following = messages[-1].offset + 1 if messages else self._applied.next_offset
        return Batch(
            partition=self._partition,
            first_offset=messages[0].offset if messages else following,
            next_offset=following,
            version=self._applied.version + 1,
            now=max(self._now, broker_now if caught_up else newest),
            caught_up=caught_up,
            detector_lag=max(0.0, broker_now - newest),
            records=records,
        )

    def _reached(self, step: BatchStep) -> None:
        self._context.watcher.reached(Reached(self._lane, step))

    def _report(self, messages: Sequence[Message], cause: str, error: SnowshedError) -> None:
        event = AbortedBatch(self._lane, self._fold.agent, self._partition, len(messages), cause, str(error))
        log.warning("batch_aborted", lane=self._lane, records=event.records, cause=cause, reason=event.reason)
        self._context.watcher.aborted(event)
