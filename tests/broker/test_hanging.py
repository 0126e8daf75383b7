"""A transaction whose end a crashing broker dropped is neither committed with the successor's nor left in the way."""

from __future__ import annotations

import time
from collections.abc import Generator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
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


@pytest.fixture
def broker() -> Generator[LocalKafka]:
    """A broker that ends expired transactions as soon as it starts, before it leads any partition."""
    with LocalKafka(extra={"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1"}) as kafka:
        yield kafka


def leave_a_transaction_open(rig: Rig, tally: Tally, now: float) -> None:
    """Write what a lane writes, as the lane, and die before the commit."""
    producer = Producer(
        {
            "bootstrap.servers": rig.bootstrap,
            "transactional.id": f"{rig.prefix}-heartbeats-0",
            "transaction.timeout.ms": int(TIMEOUT * 1000),
            "log_level": 0,
        }
    )
    consumer = Consumer({"bootstrap.servers": rig.bootstrap, "group.id": rig.prefix})
    producer.init_transactions(30)
    producer.begin_transaction()
    record = notice(KEY, tally, now)
    own = headers(record, event_id="1", source=origin("heartbeats", 0), time=now, sequence=99)
    producer.produce(rig.topics.full("notices"), Codec().encode(record), KEY, 0, headers=[*own])
    producer.produce(rig.topics.full("state.heartbeats"), b"[999, 999]", KEY, 0)
    producer.produce(rig.topics.full("state.heartbeats"), Applied(999, 99, now).dump(), APPLIED_KEY, 0)
    producer.produce(rig.topics.full("journal.heartbeats"), b"no journal entry", b"0", 0)
    assert producer.flush(10) == 0
    place = TopicPartition(rig.topics.full("heartbeats"), 0, 999)
    producer.send_offsets_to_transaction([place], consumer.consumer_group_metadata(), 10)
    consumer.close()


def open_on(rig: Rig) -> set[str]:
    topics = [rig.topics.full(short) for short in ("notices", "state.heartbeats", "journal.heartbeats")]
    stable, whole = (ends(rig.connection, topics, stable=level) for level in (True, False))
    return {rig.topics.short(topic) for (topic, partition), end in whole.items() if stable[topic, partition] < end}


def test_a_transaction_that_a_crash_left_hanging_is_aborted_by_the_successor(broker: LocalKafka, prefix: str) -> None:
    rig = Rig(broker.bootstrap, prefix, partitions=1)
    rig.feed([(KEY, number) for number in range(50)])
    with rig.core():
        rig.read_raw("notices", expect=50)
    # Its time is no later than that of the batches before it: the clock of a lane may stand still between two.
    leave_a_transaction_open(rig, Tally(999, 999), time.time() - 3600)
    broker.kill()
    time.sleep(TIMEOUT)
    broker.start()
    everywhere = {"notices", "state.heartbeats", "journal.heartbeats"}
    wait_until(lambda: open_on(rig) in (set(), everywhere), what="the broker has settled")
    time.sleep(2 * TIMEOUT)
    assert open_on(rig) == everywhere, "this broker ends transactions properly (KAFKA-20734 is mended): nothing to test"

    rig.feed([(KEY, number) for number in range(50, 100)])
    with rig.core():
        found = [record for record in rig.read("notices", expect=100) if isinstance(record, Notice)]
    assert sorted(record.notice_id for record in found) == sorted(expected_ids({KEY: [*range(100)]}))
    assert open_on(rig) == set()
    assert rig.committed() == {0: 100}
    assert rig.fatal == []
