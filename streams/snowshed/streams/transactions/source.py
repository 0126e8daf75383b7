"""The one consumer of a worker: group membership, fetching, back-pressure; it decides nothing."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, cast

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import SnowshedError
from snowshed.schemas.fetching import fetch
from snowshed.streams import folding
from snowshed.streams.transactions.enrolment import Enrolment
from snowshed.streams.transactions.errors import Forbidden, Stuck, forbids, kafka_error, passes
from snowshed.streams.transactions.lane import Lane
from snowshed.streams.transactions.misplaced import Overtaken, resume_at
from snowshed.streams.transactions.protocol import GroupSettings

__all__ = ["Source"]

log = structlog.get_logger()

_POLL_SECONDS = 0.02
_FETCH = 10_000
_MEASURE_SECONDS = 1.0
_CALL_SECONDS = 2.0
_LEADER_SECONDS = 15.0
"""How long a partition may seem to end too early: a new leader learns of the true end with a delay."""
_STOP_SECONDS = 15.0
"""Longer than draining, giving up and leaving the group may take; short of the half minute after which most kill."""
_DRAIN_SECONDS = 5.0
"""How long all lanes together may take to finish their transactions; a broker that lives answers in milliseconds."""

Place = tuple[str, int]


class Source:
    """Reads the input topics as a member of the consumer group and hands every record to its lane.

    Args:
        connection: where the broker is.
        group: group id and protocol.
        topics: full names of the input topics.
        new_lane: makes the lane for an assigned partition.
        joined: told our member id whenever it changes; empty once we have left.
        fatal: called when this process must leave.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        group: GroupSettings,
        topics: list[str],
        new_lane: Callable[[str, int], Lane],
        *,
        joined: Callable[[str], None],
        fatal: Callable[[str], None],
    ) -> None:
        self._topics, self._new_lane, self._joined, self._fatal = topics, new_lane, joined, fatal
        self._lanes: dict[Place, Lane] = {}
        self._paused: set[Place] = set()
        self._unplaced: dict[Place, float] = {}
        self._stopping = threading.Event()
        self._group: Any = None
        self._enrolment = Enrolment()
        self._measured = 0.0
        self.returns = 0
        """How often Kafka's client has come back from a call: when it stands still for long, the client hangs."""
        self._consumer = Consumer(
            connection.librdkafka(
                {
                    "isolation.level": "read_committed",
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "auto.offset.reset": "error",  # never skip or repeat records in silence: see `misplaced`
                    "fetch.wait.max.ms": 50,
                    "fetch.min.bytes": 1,
                    "queued.max.messages.kbytes": 32_768,
                    "topic.metadata.refresh.interval.ms": 30_000,
                    "log_level": 3,
                    **group.librdkafka(),
                }
            )
        )
        self._thread = threading.Thread(target=self._run, name="snowshed-source", daemon=True)

    def start(self) -> None:
        """Join the group and begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the group once every lane has finished its transaction; not waited for when the client hangs."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            log.warning("group_not_left", consequence="others take over when the session ends")

    def group(self) -> Any:
        """The group metadata by which a transaction proves our membership.

        It is a moment old, because a call into the consumer from another thread would wait for the one that polls.
        Should the group have moved on in that moment, the broker refuses the transaction and the lane tries again.
        """
        return self._group

    def settled(self) -> bool:
        """Whether the lanes are those of the partitions we are to have, as far as a member can know."""
        return self._enrolment.settled(time.monotonic())

    @property
    def lanes(self) -> Mapping[Place, Lane]:
        """The lanes of the partitions we hold now."""
        return dict(self._lanes)

    def _run(self) -> None:
        try:
            self._consumer.subscribe(self._topics, on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose)
            while not self._stopping.is_set():
                self._round()
            self._consumer.close()
            self._note_member("")
        except SnowshedError as error:
            self._fatal(f"{type(error).__name__}: {error}")
        except Exception as error:  # the thread's boundary: a worker that cannot consume must not look alive
            log.exception("source_crashed")
            self._fatal(f"the consumer failed: {type(error).__name__}: {error}")

    def _round(self) -> None:
        messages = fetch(self._consumer, _FETCH, _POLL_SECONDS)
        self.returns += 1
        self._note_membership()
        batches, ends = self._sort(messages)
        for place, batch in batches.items():
            # Rebalance callbacks run inside poll and consume, so the lane may be gone.
            if (lane := self._lanes.get(place)) is not None:
                lane.offer(batch)
                if lane.full:
                    self._pause(place)
        for place in ends:
            if (lane := self._lanes.get(place)) is not None:
                lane.reached_end()
        self._resume()
        self._measure(time.monotonic())

    def _note_membership(self) -> None:
        self._group = self._consumer.consumer_group_metadata()
        self._note_member(self._consumer.memberid() or "")

    def _note_member(self, member_id: str) -> None:
        if member_id != self._enrolment.member_id:
            self._enrolment = self._enrolment.named(member_id, time.monotonic())
            self._joined(member_id)

    def _sort(self, messages: list[Message]) -> tuple[Mapping[Place, list[folding.Message]], list[Place]]:
        """Records by partition, and the partitions that were read to their end behind them."""
        batches: defaultdict[Place, list[folding.Message]] = defaultdict(list)
        ends: list[Place] = []
        for message in messages:
            place = cast("Place", (message.topic(), message.partition()))
            error = message.error()
            if error is None:
                batches[place].append(_plain(message))
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's public name
                ends.append(place)
            else:
                _complain(error)
        return batches, ends

    def _measure(self, now: float) -> None:
        if now < self._measured + _MEASURE_SECONDS:
            return
        self._measured = now
        for place, lane in self._lanes.items():
            _, end = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            if lane.opened and end >= 0:
                lane.measure(end)
            if call := lane.overdue(now):
                raise Stuck(
                    f"lane {lane.name}: Kafka's client does not come back from {call}, long after its time-out; only a "
                    "new process helps: start the worker again"
                )

    # Back-pressure and opening: a lane's partition is paused until the lane is open and whenever it is full.

    def _pause(self, place: Place) -> None:
        if place not in self._paused:
            self._paused.add(place)
            self._consumer.pause([TopicPartition(*place)])

    def _resume(self) -> None:
        for place in tuple(self._paused):
            lane = self._lanes.get(place)
            if lane is not None and lane.opened and lane.drained and self._placed(place, lane):
                self._paused.discard(place)
                self._consumer.resume([TopicPartition(*place)])

    def _placed(self, place: Place, lane: Lane) -> bool:
        """Whether the partition stands where its lane's state ends; it is put there when the lane opens."""
        if place in self._unplaced:
            self.returns += 1
            try:
                low, high = self._consumer.get_watermark_offsets(TopicPartition(*place), _CALL_SECONDS)
                if high < lane.wanted and time.monotonic() < self._unplaced[place] + _LEADER_SECONDS:
                    return False
                self._consumer.seek(TopicPartition(*place, resume_at(place, lane.wanted, low, high)))
            except KafkaException as error:
                # Just assigned, its fetcher may not run yet; or the partition has no leader for a moment.
                cause = kafka_error(error)
                if cause.code() == KafkaError._STATE or passes(cause):  # noqa: SLF001 librdkafka's public name
                    return False
                raise
            del self._unplaced[place]
        return True

    # Rebalance callbacks, run by librdkafka inside poll, consume and close.

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("partitions_assigned", partitions=_names(partitions))
        self._note_membership()
        # At an explicit offset, so that the client need not ask for the committed one: that question waits for as long
        # as any transaction of a predecessor is unsettled. The lane, once it has fenced and restored, knows the offset.
        consumer.incremental_assign(
            [TopicPartition(partition.topic, partition.partition, OFFSET_BEGINNING) for partition in partitions]
        )
        for partition in partitions:
            place = (partition.topic, partition.partition)
            self._pause(place)
            self._unplaced[place] = time.monotonic()
            self._lanes[place] = lane = self._new_lane(*place)
            lane.start()
        self._enrolment = self._enrolment.assigned()  # last: whoever sees it sees the lanes too

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("partitions_revoked", partitions=_names(partitions))
        started = time.monotonic()
        lanes = self._forget(partitions)
        for lane in lanes:
            lane.revoke()
        late = [lane for lane in lanes if not lane.join(started + _DRAIN_SECONDS - time.monotonic())]
        for lane in late:
            lane.abandon()
        for lane in late:
            lane.join(_DRAIN_SECONDS)
        log.info(
            "partitions_drained",
            partitions=_names(partitions),
            abandoned=[lane.name for lane in late],
            seconds=round(time.monotonic() - started, 3),
        )
        consumer.incremental_unassign(partitions)

    def _lose(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.warning("partitions_lost", partitions=_names(partitions))
        self._enrolment = self._enrolment.lost(time.monotonic())
        for lane in self._forget(partitions):
            lane.lose()
        consumer.incremental_unassign(partitions)

    def _forget(self, partitions: list[TopicPartition]) -> list[Lane]:
        places = [(partition.topic, partition.partition) for partition in partitions]
        self._paused.difference_update(places)
        for place in places:
            self._unplaced.pop(place, None)
        return [lane for place in places if (lane := self._lanes.pop(place, None)) is not None]


def _complain(error: KafkaError) -> None:
    if forbids(error):
        raise Forbidden(f"consuming: {error.str()}: grant what docs/operations.md lists under Permissions")
    if error.fatal():
        raise KafkaException(error)
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 librdkafka's public name
        raise Overtaken(
            f"records were removed before they were read ({error.str()}): start the worker again, it goes on behind "
            "them; keep the inputs for longer, or add workers"
        )
    log.warning("consume_error", error=error.name(), reason=error.str())


def _plain(message: Message) -> folding.Message:
    # Once for every record: building the tuple directly takes half the time of calling its class.
    return tuple.__new__(
        folding.Message, (message.offset(), message.timestamp()[1] / 1000, message.key(), message.value())
    )


def _names(partitions: list[TopicPartition]) -> list[str]:
    return sorted(f"{partition.topic}[{partition.partition}]" for partition in partitions)
