"""Applies waiting messages to a partition's state, one transaction a batch.

Whatever a batch changes (offsets, state, journal, outputs, dead letters) commits together; only then is the new state
published in memory. After an abort the same messages, still at hand, are folded again from the unchanged state. A batch
that cannot be folded or written is narrowed down to the record that breaks it, which goes to the dead letters.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import structlog
from confluent_kafka import TopicPartition

from snowshed.schemas.errors import ServerUnavailable, SnowshedError
from snowshed.schemas.records import DeadLetter
from snowshed.streams.folding import Batch, Decoded, Fold, Message, Step
from snowshed.streams.transactions.clock import BrokerClock
from snowshed.streams.transactions.context import LaneContext
from snowshed.streams.transactions.errors import Aborted, Disowned, Unwritable
from snowshed.streams.transactions.events import AbortedBatch, BatchStep, CommittedBatch, Reached
from snowshed.streams.transactions.journal import Applied
from snowshed.streams.transactions.judge import JudgeUnavailable, Work
from snowshed.streams.transactions.plan import Plan, Planner, dead_letter
from snowshed.streams.transactions.poison import Retry
from snowshed.streams.transactions.producer import LaneProducer
from snowshed.streams.transactions.restore import Restored

__all__ = ["Applier"]

log = structlog.get_logger()


class _FoldFailed(SnowshedError):
    """The fold raised, or what it gave cannot be serialised."""


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
        producer: LaneProducer,
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
            return self._try(messages, clock)
        except Aborted as error:
            self._report(messages, "membership" if isinstance(error, Disowned) else "broker", error)
            return False

    def _try(self, messages: list[Message], clock: BrokerClock) -> bool:
        try:
            self._fold_and_commit(messages, clock)
        except (_FoldFailed, Unwritable) as error:
            self._report(messages, "output" if isinstance(error, Unwritable) else "fold", error)
            if not messages:
                return False
            if not self._retry.isolated:
                self._retry = self._retry.failed()
                return True
            self._bury(messages[0], error, clock)
            messages = messages[:1]
        self._waiting = self._waiting[len(messages) :]
        self._retry = Retry(len(self._waiting))
        return True

    def _fold_and_commit(self, messages: list[Message], clock: BrokerClock) -> None:
        started = time.perf_counter()
        decoded = self._decode(messages)
        batch = self._batch(messages, decoded.records, clock)
        step = self._step(batch)
        if not messages and step.empty:
            self._now = batch.now
            return
        letters = [
            dead_letter(self._source, self._partition, reject.message, reject.error, batch.now)
            for reject in decoded.rejects
        ]
        self._commit(batch, step, letters, records=len(messages), started=started)

    def _decode(self, messages: list[Message]) -> Decoded[Any]:
        try:
            return self._fold.decode(messages)
        except ServerUnavailable as error:  # the schema registry's trouble, not the record's
            raise Aborted(str(error)) from error
        except Exception as error:  # a reader that raises must not take the partition down with it
            raise _FoldFailed(f"{type(error).__name__}: {error}") from error

    def _step(self, batch: Batch[Any]) -> Step[Any]:
        try:
            return self._context.judge.judge(Work(self._fold, self._state, batch))
        except JudgeUnavailable as error:
            raise Aborted(str(error)) from error
        except Exception as error:  # a rule that raises must not take the partition down with it
            raise _FoldFailed(f"{type(error).__name__}: {error}") from error

    def _bury(self, message: Message, error: SnowshedError, clock: BrokerClock) -> None:
        """Put the one record that cannot be applied among the dead letters and go on behind it."""
        batch = self._batch([message], None, clock)
        letter = dead_letter(self._source, self._partition, message, error.__cause__ or error, batch.now)
        log.error("record_buried", lane=self._lane, offset=message.offset, reason=letter.reason)
        self._commit(batch, Step({}), [letter], records=1, started=time.perf_counter())

    def _commit(
        self, batch: Batch[Any], step: Step[Any], letters: list[DeadLetter], *, records: int, started: float
    ) -> None:
        plan = self._plan(batch, step, letters, records)
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
                dead_letters=len(letters),
                skipped=self._skipped,
                fold_seconds=folded - started,
                commit_seconds=time.perf_counter() - folded,
                detector_lag=batch.detector_lag,
            )
        )
        self._skipped = 0

    def _plan(self, batch: Batch[Any], step: Step[Any], letters: list[DeadLetter], records: int) -> Plan:
        try:
            return self._planner.plan(batch, step, letters, records)
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
