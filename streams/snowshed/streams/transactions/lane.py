"""A lane: one assigned input partition, in a thread of its own, through the states of `states.TRANSITIONS`."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Any, TypeVar

import structlog
from confluent_kafka import KafkaException, TopicPartition

from snowshed.schemas.errors import SnowshedError
from snowshed.schemas.topics import OUTPUTS
from snowshed.streams.folding import Fold, Message
from snowshed.streams.transactions.applying import Applier
from snowshed.streams.transactions.buffer import LaneBuffer
from snowshed.streams.transactions.clock import BrokerClock
from snowshed.streams.transactions.context import LaneContext
from snowshed.streams.transactions.errors import Abandoned, Fenced
from snowshed.streams.transactions.events import Backlog, LaneChange
from snowshed.streams.transactions.hanging import Left, Place, Question
from snowshed.streams.transactions.journal import Applied
from snowshed.streams.transactions.plan import origin
from snowshed.streams.transactions.producer import Writer
from snowshed.streams.transactions.restore import Restored
from snowshed.streams.transactions.settling import Settling
from snowshed.streams.transactions.states import LaneEvent, LaneState, next_state

__all__ = ["Lane"]

log = structlog.get_logger()
T = TypeVar("T")

_BACK_OFF_SECONDS = 0.2


class _Closing(SnowshedError):
    """The lane was told to close while it was opening."""


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
        self._life, self._life_since = LaneState.CLAIMED, time.monotonic()
        self._closing, self._lost, self._abandon = threading.Event(), threading.Event(), threading.Event()
        self._clock = BrokerClock(stand_in=time.monotonic() - time.time())
        self.wanted = 0
        """The next offset to be read; where the state ends, once the lane is open."""
        self._producer: Writer | None = None
        self._thread = threading.Thread(target=self._run, name=f"snowshed-lane-{self.name}", daemon=True)

    # What the consumer's thread calls.

    def start(self) -> None:
        """Begin: fence, restore, open."""
        self._thread.start()

    def offer(self, messages: Sequence[Message]) -> None:
        """Hand over messages in offset order."""
        self._clock = self._clock.observe(time.monotonic(), messages[-1].timestamp)
        self.wanted = messages[-1].offset + 1
        self._buffer.extend(messages)

    def measure(self, end: int) -> None:
        """Tell the watcher how far the partition's end lies ahead."""
        records = max(0, end - self.wanted) + len(self._buffer)
        self._context.watcher.behind(Backlog(self._fold.agent, self.partition, records))

    def reached_end(self) -> None:
        """Note that the partition has been read to its end."""
        self._buffer.reached_end()

    def revoke(self) -> None:
        """Finish the running transaction and begin nothing new; `join` waits for it."""
        self._closing.set()
        self._buffer.close()

    def lose(self) -> None:
        """Begin nothing new: the group has already given the partition to another worker.

        The running transaction ends by itself: the broker refuses it because we are no member, or the successor's fence
        ends it. Nobody waits for that.
        """
        self._lost.set()
        self.revoke()

    def abandon(self) -> None:
        """Give up calls that the broker does not answer; the process must end then, and its successor settles them."""
        self._abandon.set()

    def join(self, timeout: float) -> bool:
        """Wait for the lane to end; whether it has within `timeout` seconds."""
        self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    def overdue(self, now: float) -> str:
        """The client's call in which the lane is stuck; empty when it is not."""
        producer = self._producer
        return producer.overdue(now) if producer is not None else ""

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
        except _Closing as error:
            self._release(str(error))
        except Abandoned as error:
            # The client may yet finish the transaction in the background, unseen by a successor in this process.
            self._die(str(error))
        except Fenced as error:
            # A successor has fenced us, which is what becomes of a lost partition and no reason to leave.
            if self._lost.is_set():
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
        self._enter(LaneEvent.STARTED, "assigned")
        producer = self._producer = self._context.new_producer(
            self._context.connection,
            f"{self._context.app}-{self.name}",
            timeout=self._context.limits.transaction_timeout,
            abandon=self._abandon,
        )
        try:
            self._open(producer)
        finally:
            self._producer = None
            producer.close()

    def _open(self, producer: Writer) -> None:
        producer.fence()
        self._enter(LaneEvent.FENCED_PREDECESSOR, "predecessor fenced")
        restored = self._restore()
        Settling(
            self.name, producer, self._context.group, lambda: self._left(restored.applied), self._closing.wait
        ).settle(TopicPartition(self.source, self.partition, restored.applied.next_offset), pending=restored.pending)
        self.wanted = restored.applied.next_offset
        applier = Applier(self._context, self._fold, self.source, self.partition, producer=producer, restored=restored)
        self._enter(LaneEvent.RESTORED, f"{len(restored.values)} keys up to offset {restored.applied.next_offset}")
        while not self._closing.is_set():
            if applier.idle:
                self._buffer.wait(self._context.limits.tick)
                messages, caught_up = self._buffer.take(self._context.limits.batch)
                applier.take(messages, caught_up=caught_up)
            if not self._closing.is_set() and not applier.turn(self._clock):
                self._closing.wait(_BACK_OFF_SECONDS)

    def _restore(self) -> Restored:
        state_topic = self._context.topics.full(f"state.{self._fold.agent}")
        return self._await(
            self._context.restorer.restore(
                TopicPartition(self.source, self.partition), TopicPartition(state_topic, self.partition)
            )
        )

    def _left(self, applied: Applied) -> Left:
        return self._await(self._context.restorer.hanging(self._question(applied)))

    def _question(self, applied: Applied) -> Question:
        agent, full = self._fold.agent, self._context.topics.full
        return Question(
            own=frozenset(Place(full(f"{kind}.{agent}"), self.partition) for kind in ("state", "checkpoint")),
            shared=frozenset(map(full, (*OUTPUTS, f"journal.{agent}"))),
            origin=origin(agent, self.partition),
            applied=applied.version,
        )

    def _await(self, future: Future[T]) -> T:
        while not self._closing.is_set():
            try:
                return future.result(0.1)
            except NotYet:
                continue
        raise _Closing("closed before it had opened")

    def _release(self, reason: str) -> None:
        self._enter(LaneEvent.LOST if self._lost.is_set() else LaneEvent.REVOKED, reason)
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
