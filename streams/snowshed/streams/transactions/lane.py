"""A lane: one assigned input partition, its state, its offset guard and its transactional producer.

The lane runs in a thread of its own and goes through the states of `states.TRANSITIONS`. Whatever a batch changes
(offsets, state, journal, outputs, dead letters) commits in one transaction; only then is the new state published in
memory. After an abort the same messages, still at hand, are folded again from the unchanged state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from confluent_kafka import KafkaException, TopicPartition

from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import SnowshedError
from snowshed.schemas.records import DeadLetter
from snowshed.schemas.topics import Topics
from snowshed.streams.folding import Batch, Fold, Message, Step
from snowshed.streams.transactions.buffer import LaneBuffer
from snowshed.streams.transactions.clock import BrokerClock
from snowshed.streams.transactions.errors import Abandoned, Aborted, Disowned, Fenced, Unwritable
from snowshed.streams.transactions.events import AbortedBatch, CommittedBatch, LaneChange, LaneWatcher
from snowshed.streams.transactions.journal import Applied
from snowshed.streams.transactions.judge import Judge, JudgeUnavailable, Work
from snowshed.streams.transactions.plan import Planner, dead_letter
from snowshed.streams.transactions.poison import Retry
from snowshed.streams.transactions.producer import LaneProducer
from snowshed.streams.transactions.restore import Restorer
from snowshed.streams.transactions.states import LaneEvent, LaneState, next_state

__all__ = ["Lane", "LaneContext", "LaneLimits"]

log = structlog.get_logger()
T = TypeVar("T")

_BACK_OFF_SECONDS = 0.2


class _FoldFailed(SnowshedError):
    """The fold raised, or what it emitted can never be written."""


class _Closing(SnowshedError):
    """The lane was told to close while it was opening."""


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """Bounds on what a lane holds and does at a time."""

    batch: int = 5_000
    """Messages in one transaction."""
    buffer: int = 20_000
    """Waiting messages at which the partition pauses."""
    buffer_bytes: int = 64 * 1024 * 1024
    tick: float = 0.2
    """Seconds between ticks of an idle lane."""
    transaction_timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class LaneContext:
    """What all lanes of a worker share."""

    connection: KafkaConnection
    topics: Topics
    codec: Codec
    app: str
    restorer: Restorer
    judge: Judge
    watcher: LaneWatcher
    limits: LaneLimits
    group: Callable[[], Any]
    """The consumer's current group metadata."""
    fatal: Callable[[str], None]
    """Called when this process must leave."""


class Lane:
    """See the module's text.

    Args:
        context: what the lanes of a worker share.
        fold: the judgement.
        source: full name of the input topic.
        partition: the input partition.
    """

    def __init__(self, context: LaneContext, fold: Fold[Any, Any], source: str, partition: int) -> None:
        self.source, self.partition = source, partition
        self.name = f"{fold.agent}-{partition}"
        self._context, self._fold = context, fold
        limits = context.limits
        self._buffer = LaneBuffer(high=limits.buffer, low=limits.buffer // 2, high_bytes=limits.buffer_bytes)
        self._planner = Planner(fold, context.topics, context.codec, source, partition)
        self._life, self._life_since = LaneState.CLAIMED, time.monotonic()
        self._closing, self._abandon = threading.Event(), threading.Event()
        self._state: dict[str, Any] = {}
        self._applied = Applied()
        self._now = 0.0
        self._clock = BrokerClock(stand_in=time.monotonic() - time.time())
        self._waiting: list[Message] = []
        self._caught_up = False
        self._skipped = 0
        self._retry = Retry(0)
        self._thread = threading.Thread(target=self._run, name=f"snowshed-lane-{self.name}", daemon=True)

    # What the consumer's thread calls.

    def start(self) -> None:
        """Begin: fence, restore, open."""
        self._thread.start()

    def offer(self, messages: Sequence[Message]) -> None:
        """Hand over messages in offset order."""
        self._clock = self._clock.observe(time.monotonic(), messages[-1].timestamp)
        self._buffer.extend(messages)

    def reached_end(self) -> None:
        """Note that the partition has been read to its end."""
        self._buffer.reached_end()

    def revoke(self) -> None:
        """Finish the running transaction and begin nothing new; `join` waits for it."""
        self._closing.set()
        self._buffer.close()

    def lose(self) -> None:
        """Drop everything: the group has already given the partition to another worker."""
        self._abandon.set()
        self.revoke()

    def join(self, timeout: float) -> bool:
        """Wait for the lane to end; past `timeout` seconds its retries are abandoned."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._abandon.set()
            self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def life(self) -> LaneState:
        """Where the lane stands in its life."""
        return self._life

    @property
    def opened(self) -> bool:
        """Whether the lane takes records."""
        return self._life is LaneState.OPEN

    @property
    def full(self) -> bool:
        """Whether the partition should pause."""
        return self._buffer.full

    @property
    def drained(self) -> bool:
        """Whether a paused partition may resume."""
        return self._buffer.drained

    # The lane's own thread.

    def _run(self) -> None:
        try:
            self._live()
        except (_Closing, Abandoned) as error:
            self._release(str(error))
        except Fenced as error:
            # A successor may fence us just before we hear that the partition was lost: no reason to leave.
            if self._abandon.is_set():
                self._release(str(error))
            else:
                self._die(f"{type(error).__name__}: {error}")
        except (SnowshedError, KafkaException) as error:
            self._die(f"{type(error).__name__}: {error}")
        except Exception as error:  # the thread's boundary: a lane must never vanish in silence
            log.exception("lane_crashed", lane=self.name)
            self._die(f"{type(error).__name__}: {error}")
        else:
            self._release("the group takes the partition back")

    def _live(self) -> None:
        limits = self._context.limits
        self._enter(LaneEvent.STARTED, "assigned")
        producer = LaneProducer(
            self._context.connection,
            f"{self._context.app}-{self.name}",
            timeout=limits.transaction_timeout,
            abandon=self._abandon,
        )
        producer.fence()
        self._enter(LaneEvent.FENCED_PREDECESSOR, "predecessor fenced")
        self._restore()
        self._enter(LaneEvent.RESTORED, f"{len(self._state)} keys up to offset {self._applied.next_offset}")
        while not self._closing.is_set():
            self._buffer.wait(limits.tick)
            if not self._closing.is_set():
                self._turn(producer)

    def _restore(self) -> None:
        state_topic = self._context.topics.full(f"state.{self._fold.agent}")
        restored = self._await(
            self._context.restorer.restore(
                TopicPartition(self.source, self.partition), TopicPartition(state_topic, self.partition)
            )
        )
        self._state = {key: self._fold.load(raw) for key, raw in restored.values.items()}
        self._applied, self._now = restored.applied, restored.applied.now

    def _await(self, future: Future[T]) -> T:
        while not self._closing.is_set():
            try:
                return future.result(0.1)
            except NotYet:
                continue
        raise _Closing("closed before it had opened")

    def _turn(self, producer: LaneProducer) -> None:
        """Fold and commit what waits, or tick."""
        if not self._waiting:
            taken, self._caught_up = self._buffer.take(self._context.limits.batch)
            self._waiting = [message for message in taken if message.offset >= self._applied.next_offset]
            self._skipped = len(taken) - len(self._waiting)
            self._retry = Retry(len(self._waiting))
        messages = self._waiting[: self._retry.size]
        if not messages and not self._caught_up:
            return
        try:
            self._fold_and_commit(producer, messages)
        except (_FoldFailed, Unwritable) as error:
            self._judge_failed(producer, messages, error)
        except Aborted as error:
            self._report_abort(messages, "membership" if isinstance(error, Disowned) else "broker", error)
            self._closing.wait(_BACK_OFF_SECONDS)
        else:
            self._waiting = self._waiting[len(messages) :]
            self._retry = Retry(len(self._waiting))

    def _judge_failed(self, producer: LaneProducer, messages: list[Message], error: SnowshedError) -> None:
        self._report_abort(messages, "output" if isinstance(error, Unwritable) else "fold", error)
        if not messages:
            self._closing.wait(_BACK_OFF_SECONDS)
        elif self._retry.isolated:
            self._bury(producer, messages[0], error)
            self._waiting = self._waiting[1:]
            self._retry = Retry(len(self._waiting))
        else:
            self._retry = self._retry.failed()

    def _fold_and_commit(self, producer: LaneProducer, messages: list[Message]) -> None:
        decoded = self._fold.decode(messages)
        batch = self._batch(messages, decoded.records)
        started = time.perf_counter()
        step = self._step(batch)
        if not messages and step.empty:
            self._now = batch.now
            return
        letters = [
            dead_letter(self.source, self.partition, reject.message, reject.error, batch.now)
            for reject in decoded.rejects
        ]
        self._commit(producer, batch, step, letters, records=len(messages), started=started)

    def _step(self, batch: Batch[Any]) -> Step[Any]:
        try:
            return self._context.judge.judge(Work(self._fold, self._state, batch))
        except JudgeUnavailable as error:
            raise Aborted(str(error)) from error
        except Exception as error:  # a rule that raises must not take the partition down with it
            raise _FoldFailed(f"{type(error).__name__}: {error}") from error

    def _bury(self, producer: LaneProducer, message: Message, error: SnowshedError) -> None:
        """Put the one record that cannot be folded among the dead letters and go on behind it."""
        batch = self._batch([message], None)
        letter = dead_letter(self.source, self.partition, message, error.__cause__ or error, batch.now)
        log.error("record_buried", lane=self.name, offset=message.offset, reason=letter.reason)
        self._commit(producer, batch, Step({}), [letter], records=1, started=time.perf_counter())

    def _commit(
        self,
        producer: LaneProducer,
        batch: Batch[Any],
        step: Step[Any],
        letters: list[DeadLetter],
        *,
        records: int,
        started: float,
    ) -> None:
        folded = time.perf_counter()
        plan = self._planner.plan(batch, step, letters, records)
        offsets = [TopicPartition(self.source, self.partition, batch.next_offset)]
        producer.commit(plan.writes, offsets, self._context.group())
        for key, value in step.changes.items():
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value
        self._applied, self._now = plan.applied, batch.now
        self._context.watcher.committed(
            CommittedBatch(
                lane=self.name,
                agent=self._fold.agent,
                partition=self.partition,
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

    def _batch(self, messages: Sequence[Message], records: Any) -> Batch[Any]:
        broker_now = self._clock.now(time.monotonic())
        newest = messages[-1].timestamp if messages else broker_now
        caught_up = self._caught_up and len(messages) == len(self._waiting)
        following = messages[-1].offset + 1 if messages else self._applied.next_offset
        return Batch(
            partition=self.partition,
            first_offset=messages[0].offset if messages else following,
            next_offset=following,
            version=self._applied.version + 1,
            now=max(self._now, broker_now if caught_up else newest),
            caught_up=caught_up,
            detector_lag=max(0.0, broker_now - newest),
            records=records,
        )

    def _report_abort(self, messages: Sequence[Message], cause: str, error: SnowshedError) -> None:
        event = AbortedBatch(self.name, self._fold.agent, self.partition, len(messages), cause, str(error))
        log.warning("batch_aborted", lane=self.name, records=event.records, cause=cause, reason=event.reason)
        self._context.watcher.aborted(event)

    def _release(self, reason: str) -> None:
        self._enter(LaneEvent.LOST if self._abandon.is_set() else LaneEvent.REVOKED, reason)
        self._enter(LaneEvent.DRAINED, "closed")

    def _die(self, reason: str) -> None:
        self._enter(LaneEvent.FATAL, reason)
        self._context.fatal(f"lane {self.name}: {reason}")

    def _enter(self, event: LaneEvent, reason: str) -> None:
        before, now = self._life, time.monotonic()
        after = next_state(before, event)
        seconds, self._life, self._life_since = now - self._life_since, after, now
        change = LaneChange(self.name, before, after, seconds, reason)
        log.info("lane_changed", lane=self.name, state=after.value, reason=reason, seconds=round(seconds, 3))
        self._context.watcher.changed(change)
