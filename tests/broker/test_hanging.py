"""A transaction whose end a crashing broker dropped is neither committed with the successor's nor left in the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from tests.chaos.reading import ends
from tests.support.core_rig import Rig, wait_until
from tests.support.counting import Tally, expected_ids, notice

from snowshed.schemas.cloudevents import headers
from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Notice
from snowshed.streams.broker import LocalKafka
from snowshed.streams.transactions.journal import APPLIED_KEY, Applied
from snowshed.streams.transactions.plan import origin

KEY = "key-0"
TIMEOUT = 1.0
ATTEMPTS = 5

Write = Callable[[Producer], None]


@pytest.fixture
def broker() -> Generator[LocalKafka]:
    """A broker that ends expired transactions as soon as it starts, before it leads any partition."""
    with LocalKafka(extra={"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1"}) as kafka:
        yield kafka


def leave_open(rig: Rig, broker: LocalKafka, write: Write) -> None:
    """A transaction of the lane whose end the broker forgets: it is killed, and aborts it before it leads anything."""
    producer = Producer(
        {
            "bootstrap.servers": rig.bootstrap,
            "transactional.id": f"{rig.prefix}-heartbeats-0",
            "transaction.timeout.ms": int(TIMEOUT * 1000),
            "log_level": 0,
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    write(producer)
    assert producer.flush(10) == 0
    broker.kill()
    time.sleep(TIMEOUT)
    broker.start()


def leave_hanging(rig: Rig, broker: LocalKafka, write: Write, everywhere: set[str]) -> None:
    """The same, until it hangs: now and then a broker leads its partitions in time, and ends the transaction well."""
    for _ in range(ATTEMPTS):
        leave_open(rig, broker, write)
        if settles(rig, everywhere) == everywhere:
            return
    pytest.fail(f"this broker ended {ATTEMPTS} transactions properly (KAFKA-20734 is mended?): nothing to test")


def send_offset(rig: Rig, producer: Producer, offset: int) -> None:
    consumer = Consumer({"bootstrap.servers": rig.bootstrap, "group.id": rig.prefix})
    place = TopicPartition(rig.topics.full("heartbeats"), 0, offset)
    producer.send_offsets_to_transaction([place], consumer.consumer_group_metadata(), 10)
    consumer.close()


def write_output(rig: Rig, producer: Producer, tally: Tally, now: float, sequence: int) -> None:
    record = notice(KEY, tally, now)
    own: list[tuple[str, str | bytes | None]] = [
        *headers(record, event_id="1", source=origin("heartbeats", 0), time=now, sequence=sequence)
    ]
    producer.produce(rig.topics.full("notices"), Codec().encode(record), KEY, 0, headers=own)
    producer.produce(rig.topics.full("journal.heartbeats"), b"no journal entry", b"0", 0, headers=own)


def open_on(rig: Rig) -> set[str]:
    topics = [rig.topics.full(short) for short in ("notices", "state.heartbeats", "journal.heartbeats")]
    stable, whole = (ends(rig.connection, topics, stable=level) for level in (True, False))
    return {rig.topics.short(topic) for (topic, partition), end in whole.items() if stable[topic, partition] < end}


def settles(rig: Rig, everywhere: set[str]) -> set[str]:
    """Where the transaction is still open once the broker has had the time to end it."""

    def settled() -> bool:
        try:
            return open_on(rig) in (set(), everywhere)
        except KafkaException:  # a broker that has just started does not know all leaders yet
            return False

    wait_until(settled, what="the broker has settled")
    time.sleep(2 * TIMEOUT)
    return open_on(rig)


def test_a_transaction_that_a_crash_left_hanging_is_aborted_by_the_successor(broker: LocalKafka, prefix: str) -> None:
    rig = Rig(broker.bootstrap, prefix, partitions=1)
    rig.feed([(KEY, number) for number in range(50)])
    with rig.core():
        rig.read_raw("notices", expect=50)
    # Its time is no later than that of the batches before it: the clock of a lane may stand still between two.
    now = time.time() - 3600

    def write(producer: Producer) -> None:
        write_output(rig, producer, Tally(999, 999), now, 99)
        producer.produce(rig.topics.full("state.heartbeats"), b"[999, 999]", KEY, 0)
        producer.produce(rig.topics.full("state.heartbeats"), Applied(999, 99, now).dump(), APPLIED_KEY, 0)
        send_offset(rig, producer, 999)

    leave_hanging(rig, broker, write, {"notices", "state.heartbeats", "journal.heartbeats"})

    rig.feed([(KEY, number) for number in range(50, 100)])
    with rig.core():
        found = [record for record in rig.read("notices", expect=100) if isinstance(record, Notice)]
    assert sorted(record.notice_id for record in found) == sorted(expected_ids({KEY: [*range(100)]}))
    assert open_on(rig) == set()
    assert rig.committed() == {0: 100}
    assert rig.fatal == []


def test_an_output_of_a_committed_transaction_that_was_left_hanging_is_committed(
    broker: LocalKafka, prefix: str
) -> None:
    rig = Rig(broker.bootstrap, prefix, partitions=1)
    rig.feed([(KEY, number) for number in range(50)])
    with rig.core():
        rig.read_raw("notices", expect=50)

    def write(producer: Producer) -> None:
        write_output(rig, producer, Tally(50, 999), time.time(), 1)

    leave_hanging(rig, broker, write, {"notices", "journal.heartbeats"})

    # Nothing is fed, so that no later transaction of the lane would end it by the way.
    with rig.core():
        wait_until(lambda: open_on(rig) == set(), what="what hung is ended")
    assert len([value for _, value in rig.read_raw("notices", expect=52) if value is not None]) == 51
    assert rig.fatal == []


def test_an_offset_of_a_committed_transaction_that_was_left_hanging_is_committed_again(
    broker: LocalKafka, prefix: str
) -> None:
    rig = Rig(broker.bootstrap, prefix, partitions=1)
    rig.feed([(KEY, number) for number in range(50)])
    with rig.core():
        rig.read_raw("notices", expect=50)
    rig.feed([(KEY, number) for number in range(50, 60)])
    with rig.core():
        rig.read_raw("notices", expect=60)
    leave_open(rig, broker, lambda producer: send_offset(rig, producer, 60))
    # As a crash leaves it that dropped the end of a commit in the group alone: the state is ahead of the offset.
    consumer = Consumer({"bootstrap.servers": rig.bootstrap, "group.id": rig.prefix})
    consumer.commit(offsets=[TopicPartition(rig.topics.full("heartbeats"), 0, 50)], asynchronous=False)
    consumer.close()

    rig.feed([(KEY, number) for number in range(60, 100)])
    with rig.core():
        found = [record for record in rig.read("notices", expect=100) if isinstance(record, Notice)]
    assert sorted(record.notice_id for record in found) == sorted(expected_ids({KEY: [*range(100)]}))
    assert rig.committed() == {0: 100}
    assert rig.fatal == []
