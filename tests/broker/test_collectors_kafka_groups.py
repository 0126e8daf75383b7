"""Consumer groups on a real broker: what is asked, how it is judged, and the interval that comes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from tests.support.core_rig import wait_until
from tests.support.roundtrip import create_topic, produce

from snowshed.producers.collectors import Clock, GroupSeen, RowSeen, RowWritten
from snowshed.producers.collectors.kafka_groups import ConsumerGroup, GroupSession
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable
from snowshed.streams.broker import Broker
from snowshed.streams.lag.groups import GroupStatus, PartitionProgress, PartitionSeen, Verdict, judge, observe
from snowshed.streams.policy import GroupPolicy

_CLOCK = Clock()
_POLICY = GroupPolicy(commits=5, patience=0.5, slope_window=4.0)
_PERIOD = 0.1


class Group:
    """A group on a topic of its own, watched by the collector's session and judged as it goes."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.bootstrap, self.name = bootstrap, name
        create_topic(bootstrap, name)
        self.session = GroupSession(KafkaConnection(bootstrap))
        self.progress = PartitionProgress()
        self.consumer: Any = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": name,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )

    def join(self) -> None:
        self.consumer.subscribe([self.name])
        deadline = time.monotonic() + 30
        while not self.consumer.assignment():
            assert time.monotonic() < deadline
            self.consumer.poll(0.1)

    def commit(self, offset: int) -> None:
        self.consumer.commit(offsets=[TopicPartition(self.name, 0, offset)], asynchronous=False)

    def produce(self, count: int) -> None:
        produce(self.bootstrap, self.name, ["x"] * count)

    def look(self) -> Verdict:
        look = self.session.look(self.name, [self.name], _CLOCK)
        [part] = look.partitions
        seen = PartitionSeen(
            asked=look.ends_asked, at=look.answered, committed=part.committed, end=part.end, alive=part.owned
        )
        self.progress = observe(self.progress, seen, _POLICY)
        return judge(self.progress, look.answered, _POLICY)

    def until(self, status: GroupStatus, each: Callable[[int], None] = lambda _: None) -> Verdict:
        deadline, number = time.monotonic() + 30, 0
        while True:
            each(number)
            verdict = self.look()
            if verdict.status is status:
                return verdict
            assert time.monotonic() < deadline, verdict
            number += 1
            self.consumer.poll(_PERIOD)

    def close(self) -> None:
        self.consumer.close()
        self.session.close()


def _answers(group: Group) -> bool:
    try:
        group.session.look(group.name, [group.name], _CLOCK)
    except ServerUnavailable:
        return False
    return True


@pytest.fixture
def group(kafka: Broker, prefix: str) -> Generator[Group]:
    made = Group(kafka.bootstrap, prefix)
    wait_until(lambda: _answers(made), what="a young broker has loaded its groups")
    yield made
    made.close()


def test_a_group_that_never_committed_is_unknown_and_then_keeps_up(group: Group) -> None:
    assert group.look().status is GroupStatus.UNKNOWN
    group.produce(5)
    group.commit(5)
    verdict = group.look()
    assert (verdict.status, verdict.lag) == (GroupStatus.OK, 0)


def test_a_stopped_group_is_found_and_its_lag_grows(group: Group) -> None:
    group.produce(3)
    group.commit(3)
    group.look()
    group.produce(2)
    first = group.until(GroupStatus.STOP)
    group.produce(5)
    later = group.look()
    assert (first.lag, later.lag) == (2, 7)
    assert later.low > first.low > 0.5


def test_a_live_group_that_does_not_move_is_stalled(group: Group) -> None:
    group.produce(10)
    group.join()
    group.commit(4)
    verdict = group.until(GroupStatus.STALL)
    assert verdict.lag == 6


def test_a_rewound_group_is_found(group: Group) -> None:
    group.produce(10)
    group.commit(10)
    assert group.look().status is GroupStatus.OK
    group.commit(2)
    assert group.look().status is GroupStatus.REWIND


def test_a_group_whose_lag_grows_slowly_is_warned_of_although_it_dips(group: Group) -> None:
    committed = 0

    def work(number: int) -> None:
        nonlocal committed
        group.produce(10)
        committed += 18 if number % 4 == 3 else 6
        group.commit(committed)

    verdict = group.until(GroupStatus.WARN, work)
    assert verdict.slope > 0


def test_records_of_an_open_transaction_are_not_yet_behind(group: Group) -> None:
    group.produce(2)
    group.commit(2)
    producer = Producer({"bootstrap.servers": group.bootstrap, "transactional.id": group.name})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(group.name, b"a")
    producer.flush(30)
    assert group.look().lag == 0
    producer.commit_transaction(30)
    wait_until(lambda: group.look().lag == 2, what="the record and the transaction's marker are behind")


def test_the_interval_of_a_group_holds_the_truth(group: Group) -> None:
    collector = ConsumerGroup(
        group.session, dataset="orders", group=group.name, topics=[group.name], writer="host@test", period=_PERIOD
    )

    def rows() -> tuple[RowWritten, RowSeen]:
        written, seen, looked = collector.collect(_CLOCK)
        assert isinstance(looked, GroupSeen)
        assert [part.place for part in looked.worst] == [f"{group.name}/0"]
        assert looked.lag == (looked.worst[0].end - (looked.worst[0].committed or 0))
        assert isinstance(written, RowWritten)
        assert isinstance(seen, RowSeen)
        return written, seen

    group.produce(5)
    first, behind = rows()
    assert behind.version < first.version
    assert behind.written_at == 0.0
    group.commit(5)
    wait_until(lambda: rows()[1].version >= first.version, what="the group shows the first look")
    begun = time.time()
    group.produce(1)
    wait_until(lambda: rows()[1].version < rows()[0].version - 1, what="the group is behind two looks")
    newer, stale = rows()
    truth = stale.seen_at - begun
    assert stale.version < newer.version
    assert stale.seen_at - stale.written_at >= truth


def test_a_topic_that_is_not_there_is_named(kafka: Broker, prefix: str) -> None:
    with pytest.raises(ConfigurationError, match=prefix):
        GroupSession(KafkaConnection(kafka.bootstrap)).look(prefix, [f"{prefix}-absent"], _CLOCK)


def test_a_broker_that_is_not_there_is_unavailable() -> None:
    session = GroupSession(KafkaConnection("127.0.0.1:9"), timeout=0.3)
    with pytest.raises(ServerUnavailable, match=r"127\.0\.0\.1:9"):
        session.look("g", ["t"], _CLOCK)
