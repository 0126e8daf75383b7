"""A broker whose disk is full, and what becomes of a worker."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka import Producer
from tests.support.core_rig import PATIENT, Rig, wait_until
from tests.support.counting import expected_ids, payload
from tests.support.disk import small_disk

from snowshed.schemas.records import Notice
from snowshed.streams.broker import LocalKafka

KEY = "key-0"
PADDING = b" " * 50_000
"""Behind the JSON, so that a few records fill what is left of a disk."""


def test_a_worker_lives_through_a_full_disk_of_its_broker_and_loses_nothing(tmp_path: Path, prefix: str) -> None:
    with small_disk(tmp_path / "disk", megabytes=300) as disk, LocalKafka(disk.folder / "kafka") as broker:
        rig = Rig(broker.bootstrap, prefix, partitions=1)
        rig.feed([(KEY, number) for number in range(100)])
        with rig.core(limits=PATIENT):
            rig.read_raw("notices", expect=100)
            disk.fill()
            producer = Producer({"bootstrap.servers": rig.bootstrap, "enable.idempotence": True, "log_level": 0})
            for number in range(100, 400):
                producer.produce(rig.topics.full("heartbeats"), payload(number) + PADDING, KEY)
            wait_until(
                lambda: producer.poll(0.1) >= 0 and broker.pid is None, 90, what="Kafka stops when it cannot write"
            )
            disk.empty()
            broker.start()
            assert producer.flush(120) == 0
            found = [record for record in rig.read("notices", expect=400, timeout=90) if isinstance(record, Notice)]
        assert sorted(notice.notice_id for notice in found) == sorted(expected_ids({KEY: [*range(400)]}))
        assert rig.fatal == []
