"""A Guard in front of a Kafka consumer: what it refuses stays on the topic, and partitions pause until it may be read.

::

    with GuardedConsumer({"bootstrap.servers": …, "group.id": "shop"}, guard) as consumer:
        consumer.subscribe(["orders"])
        while running:
            with consumer.take(1.0) as message:
                if message is not None:
                    handle(message)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Self

import structlog
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaException, Message, TopicPartition

from snowshed.consumers.admission.decided import Brake, Refusal
from snowshed.consumers.guard import Guard
from snowshed.consumers.permit import Permit
from snowshed.schemas.propagation import CallContext, parse_raw, use_context

__all__ = ["GuardedConsumer"]

log = structlog.get_logger()


def _skipped(message: Message) -> None:
    """What is done with a message whose deadline has passed, unless it is said otherwise."""
    log.warning(
        "message_expired",
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
    )


class GuardedConsumer:
    """A consumer whose messages are admitted one by one, in order; at least once, never past a message not handled.

    A refused message is given back: its partition is set to it again, all partitions pause for as long as the Guard
    says, and `take` goes on polling meanwhile, so the group keeps its member. A message's offset is stored for
    librdkafka's periodic commit only when its block has ended; after an exception the message comes again. A message's
    class and attempt are those of its headers. Because partitions keep their order, a refused message also holds up
    what is behind it.

    A message whose deadline has passed can never be admitted, so it holds up nothing: it is handed to `on_expired`
    instead of to a block, and its offset is stored. The time left that its headers tell counts from its timestamp.

    Args:
        settings: librdkafka's; storing of offsets is set here.
        guard: the guard of what the messages load.
        on_expired: gets each message whose deadline has passed; one that raises gets it again. Logs it by itself.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        guard: Guard,
        *,
        on_expired: Callable[[Message], None] = _skipped,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.consumer = Consumer({**settings, "enable.auto.offset.store": False})
        """The consumer itself, to subscribe with other callbacks or to commit by hand."""
        self._guard = guard
        self._on_expired = on_expired
        self._clock = clock
        self._resume_at: float | None = None
        self._paused: set[tuple[str, int]] = set()

    def subscribe(self, topics: list[str]) -> None:
        """Joins the group for these topics."""
        self.consumer.subscribe(topics)

    @property
    def is_paused(self) -> bool:
        """Whether partitions are waiting for the Guard."""
        return self._resume_at is not None

    @contextmanager
    def take(self, timeout: float) -> Generator[Message | None]:
        """The next admitted message, or None after `timeout` seconds; the block's end decides the outcome.

        Raises:
            KafkaException: the consumer reports an error.
        """
        taken = self._next(timeout)
        if taken is None:
            yield None
            return
        message, permit = taken
        with self._handling(message), permit, use_context(_context_of(message)):
            yield message

    @contextmanager
    def _handling(self, message: Message) -> Generator[None]:
        """Stores the message's offset at the block's end, or gives the message back when an exception leaves it."""
        with ExitStack() as undo:
            undo.callback(self._give_back, message)
            yield
            undo.pop_all()
        self.consumer.store_offsets(message)

    def _next(self, timeout: float) -> tuple[Message, Permit] | None:
        deadline = self._clock() + timeout
        while True:
            now = self._clock()
            self._resume_if_due(now)
            until = deadline if self._resume_at is None else min(deadline, self._resume_at)
            message = self.consumer.poll(max(0.0, until - now))
            if message is not None:
                answer = self._ask(message)
                if isinstance(answer, Permit):
                    return message, answer
                if answer.brake is Brake.DEADLINE:
                    with self._handling(message), use_context(_context_of(message)):
                        self._on_expired(message)
                else:
                    self._hold(message, answer)
            if self._clock() >= deadline:
                return None

    def _ask(self, message: Message) -> Permit | Refusal:
        error = message.error()
        if error is not None:
            raise KafkaException(error)
        with use_context(_context_of(message)):
            return self._guard.try_admit(message.topic() or "")

    def _hold(self, message: Message, refusal: Refusal) -> None:
        assigned = self.consumer.assignment()
        self.consumer.pause(assigned)
        self._paused.update((one.topic, one.partition) for one in assigned)
        self._give_back(message)  # after the pause, which takes the position behind this message to go on from
        resume_at = self._clock() + refusal.retry_after
        self._resume_at = resume_at if self._resume_at is None else min(self._resume_at, resume_at)

    def _give_back(self, message: Message) -> None:
        self.consumer.seek(TopicPartition(message.topic() or "", message.partition() or 0, message.offset() or 0))

    def _resume_if_due(self, now: float) -> None:
        if self._resume_at is not None and now < self._resume_at:
            return
        self._resume_at = None
        if self._paused:  # a partition that went to another member is still paused when it comes back
            due = [one for one in self.consumer.assignment() if (one.topic, one.partition) in self._paused]
            self.consumer.resume(due)
            self._paused.difference_update((one.topic, one.partition) for one in due)

    def close(self) -> None:
        """Commits what was stored and leaves the group."""
        self.consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def _context_of(message: Message) -> CallContext:
    headers: Any = message.headers() or ()
    raw = [(name.encode(), value) for name, value in headers if isinstance(value, bytes)]
    context = parse_raw(raw, time.monotonic())
    kind, milliseconds = message.timestamp()
    if context.deadline is None or kind == TIMESTAMP_NOT_AVAILABLE:
        return context
    lain = max(0.0, time.time() - milliseconds / 1e3)
    return replace(context, deadline=context.deadline - lain)
