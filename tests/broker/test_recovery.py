"""What goes wrong outside of a worker ends in recovery, or in an error that names the remedy; never in silence."""

from __future__ import annotations

import threading

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions
from tests.support.core_rig import Rig, wait_until
from tests.support.counting import Tally, expected_ids

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Notice
from snowshed.streams.broker import Broker
from snowshed.streams.folding import Step
from snowshed.streams.provision import provision
from snowshed.streams.resetting import Beginning, reset
from snowshed.streams.transactions.context import LaneLimits
from snowshed.streams.transactions.events import Backlog, NoWatcher
from snowshed.streams.transactions.judge import DirectJudge, JudgeUnavailable, Work

KEYS = tuple(f"key-{number}" for number in range(9))


@pytest.fixture
def rig(kafka: Broker, prefix: str) -> Rig:
    return Rig(kafka.bootstrap, prefix)


@pytest.fixture
def admin(kafka: Broker) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka.bootstrap})


def numbered(start: int, stop: int) -> list[tuple[str, bytes | int]]:
    return [(KEYS[number % len(KEYS)], number) for number in range(start, stop)]


def by_key(start: int, stop: int) -> dict[str, list[int]]:
    return {key: [number for number in range(start, stop) if number % len(KEYS) == at] for at, key in enumerate(KEYS)}


def ids(rig: Rig) -> list[str]:
    return [notice.notice_id for notice in rig.read("notices") if isinstance(notice, Notice)]


def awaited_fatal(rig: Rig) -> str:
    wait_until(lambda: bool(rig.fatal), 60, what="the worker gives up")
    return rig.fatal[0]


def test_an_input_that_gets_more_partitions_stops_the_worker_and_a_reset_lets_it_go_on(
    rig: Rig, admin: AdminClient
) -> None:
    rig.feed(numbered(0, 100))
    with rig.core():
        rig.read_raw("notices", expect=100)
    source = rig.topics.full("heartbeats")
    admin.create_partitions([NewPartitions(source, 4)])[source].result(15)
    wait_until(lambda: len(admin.list_topics(source).topics[source].partitions) == 4, what="the partitions are there")
    with rig.core():
        assert "snowshed reset" in awaited_fatal(rig)
    with pytest.raises(ConfigurationError, match="snowshed reset"):
        provision(rig.connection, rig.topics)

    done = reset(rig.connection, rig.topics, rig.prefix, agents=["heartbeats"], begin=Beginning.END)
    assert [(lane.partition, lane.before, lane.after) for lane in done if lane.partition < 2] == [
        (lane.partition, lane.after, lane.after) for lane in done if lane.partition < 2
    ]
    assert sum(lane.keys for lane in done) == len(KEYS)
    rig.fatal.clear()
    rig.feed(numbered(100, 200))
    with rig.core():
        rig.read_raw("notices", expect=200)
    assert rig.fatal == []
    assert set(ids(rig)) == expected_ids(by_key(0, 100)) | expected_ids(by_key(100, 200))


def test_a_reset_is_refused_while_a_worker_runs(rig: Rig) -> None:
    with rig.core() as core:
        wait_until(lambda: bool(core.lanes) and all(lane.opened for lane in core.lanes), what="the worker has joined")
        with pytest.raises(ConfigurationError, match="1 workers are in group"):
            reset(rig.connection, rig.topics, rig.prefix, agents=["heartbeats"], begin=Beginning.END)


def test_a_reset_to_the_beginning_folds_everything_again(rig: Rig) -> None:
    rig.feed(numbered(0, 50))
    with rig.core():
        rig.read_raw("notices", expect=50)
    reset(rig.connection, rig.topics, rig.prefix, agents=["heartbeats"], begin=Beginning.BEGINNING)
    with rig.core():
        rig.read_raw("notices", expect=100)
    assert sorted(ids(rig)) == sorted([*expected_ids(by_key(0, 50))] * 2)
    assert rig.fatal == []


def test_an_input_that_was_made_anew_is_not_mistaken_for_the_old_one(rig: Rig, admin: AdminClient) -> None:
    rig.feed(numbered(0, 100))
    with rig.core():
        rig.read_raw("notices", expect=100)
    source = rig.topics.full("heartbeats")
    admin.delete_topics([source])[source].result(15)
    wait_until(lambda: source not in admin.list_topics().topics, what="the topic has gone")
    provision(rig.connection, rig.topics)
    rig.feed(numbered(0, 5))
    with rig.core():
        assert "snowshed reset" in awaited_fatal(rig)
    assert len(ids(rig)) == 100


def test_records_that_expired_before_they_were_read_are_passed_over(rig: Rig, admin: AdminClient) -> None:
    rig.feed(numbered(0, 100))
    with rig.core():
        rig.read_raw("notices", expect=100)
    rig.feed(numbered(100, 200))
    source = rig.topics.full("heartbeats")
    place = TopicPartition(source, 0, _end(rig, source))
    admin.delete_records([place])[place].result(15)
    rig.feed(numbered(200, 300))
    with rig.core():
        wait_until(
            lambda: all(rig.committed()[number] == _end(rig, source, number) for number in (0, 1)), what="the end"
        )
    assert rig.fatal == []
    found = ids(rig)
    assert len(found) == len(set(found))
    assert 200 < len(found) < 300


def _end(rig: Rig, source: str, partition: int = 0) -> int:
    consumer = Consumer({"bootstrap.servers": rig.bootstrap, "group.id": f"{rig.prefix}-ends"})
    try:
        return consumer.get_watermark_offsets(TopicPartition(source, partition), 10)[1]
    finally:
        consumer.close()


def test_offsets_that_somebody_moved_are_noticed(rig: Rig) -> None:
    rig.feed(numbered(0, 100))
    with rig.core():
        rig.read_raw("notices", expect=100)
    consumer = Consumer({"bootstrap.servers": rig.bootstrap, "group.id": rig.prefix})
    consumer.commit(offsets=[TopicPartition(rig.topics.full("heartbeats"), 0, 3)], asynchronous=False)
    consumer.close()
    with rig.core():
        assert "committed offset is 3" in awaited_fatal(rig)
    assert len(ids(rig)) == 100


class SilentJudge(DirectJudge):
    def judge(self, work: Work) -> Step[Tally]:
        if work.batch.records:
            raise JudgeUnavailable("no answer within 30 s")
        return super().judge(work)


def test_batches_that_nobody_judges_end_the_worker(rig: Rig) -> None:
    rig.feed(numbered(0, 10))
    with rig.core(judge=SilentJudge()):
        assert "the fold hangs, or the machine is starved" in awaited_fatal(rig)
    assert ids(rig) == []


class Backlogs(NoWatcher):
    def __init__(self) -> None:
        self.seen: list[Backlog] = []

    def behind(self, event: Backlog) -> None:
        self.seen.append(event)


class HeldJudge(DirectJudge):
    def __init__(self) -> None:
        self.go = threading.Event()

    def judge(self, work: Work) -> Step[Tally]:
        assert self.go.wait(60)
        return super().judge(work)


def test_the_backlog_of_a_slow_lane_is_told(rig: Rig) -> None:
    rig.feed(numbered(0, 5_000))
    judge, backlogs = HeldJudge(), Backlogs()
    with rig.core(judge=judge, watcher=backlogs, limits=LaneLimits(batch=10, buffer=50, tick=0.05)):
        wait_until(lambda: any(event.records > 1_000 for event in backlogs.seen), what="a backlog is told")
        judge.go.set()
        wait_until(lambda: [event.records for event in backlogs.seen[-2:]] == [0, 0], 60, what="the backlog has gone")
