"""What is tried: Snowshed, and Faust's own exactly-once as the control that must be seen to fail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tests.chaos.reading import read
from tests.support.counting import Tally

from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.records import DeadLetter, Notice
from snowshed.schemas.topics import Topics
from snowshed.streams.provision import provision
from snowshed.streams.transactions.journal import APPLIED_KEY

__all__ = ["FAUST", "SNOWSHED", "SYSTEMS", "Place", "System"]


@dataclass(frozen=True, slots=True)
class Place:
    """Topics of one run on a broker."""

    connection: KafkaConnection
    topics: Topics

    @property
    def input(self) -> str:
        """The input topic."""
        return self.topics.full("heartbeats")

    @property
    def partitions(self) -> int:
        """Partitions of every topic."""
        return self.topics.partitions("heartbeats")

    @property
    def changelog(self) -> str:
        """The topic behind the control's table."""
        return f"{self.topics.prefix}-tally-changelog"


@dataclass(frozen=True, slots=True)
class System:
    """One of the two, and how what it wrote is read."""

    name: str
    command: tuple[str, ...]
    prepare: Callable[[Place], None]
    written: Callable[[Place], list[str]]
    """The topics it writes to."""
    state: Callable[[Place], Mapping[str, Tally]]
    tidy: bool
    """Whether its workers are expected to stop in order and to hold no more than they need."""


def notices(place: Place) -> Counter[str]:
    """How often each decision stands committed in the log."""
    codec = Codec()
    found = (codec.decode(record.value) for record in read(place.connection, place.topics.full("notices")))
    return Counter(notice.notice_id for notice in found if isinstance(notice, Notice))


def letters(place: Place) -> Counter[str]:
    """How often each dead letter stands committed in the log, by the place it came from."""
    codec = Codec()
    found = (codec.decode(record.value) for record in read(place.connection, place.topics.full("dead-letters")))
    return Counter(f"{letter.partition}-{letter.offset}" for letter in found if isinstance(letter, DeadLetter))


def _provision(place: Place) -> None:
    provision(place.connection, place.topics)


def _snowshed_written(place: Place) -> list[str]:
    agent = ("notices", "dead-letters", "journal.heartbeats", "state.heartbeats")
    return [place.topics.full(short) for short in agent]


def _snowshed_state(place: Place) -> Mapping[str, Tally]:
    values: dict[str, bytes | None] = {}
    for record in read(place.connection, place.topics.full("state.heartbeats")):
        if record.key != APPLIED_KEY:
            values[(record.key or b"").decode()] = record.value
    return {key: Tally(*json.loads(value)) for key, value in values.items() if value is not None}


SNOWSHED = System(
    "Snowshed",
    ("-m", "tests.chaos.worker"),
    prepare=_provision,
    written=_snowshed_written,
    state=_snowshed_state,
    tidy=True,
)


def _faust_prepare(place: Place) -> None:
    provision(place.connection, place.topics)
    changelog = NewTopic(
        place.changelog,
        num_partitions=place.partitions,
        replication_factor=place.topics.replication,
        config={"cleanup.policy": "compact"},
    )
    admin = AdminClient(place.connection.librdkafka({"log_level": 0}))
    admin.create_topics([changelog])[place.changelog].result(30)


def _faust_written(place: Place) -> list[str]:
    return [place.topics.full("notices"), place.topics.full("dead-letters"), place.changelog]


def _faust_state(place: Place) -> Mapping[str, Tally]:
    values: dict[str, bytes | None] = {}
    for record in read(place.connection, place.changelog):
        values[json.loads(record.key or b"null")] = record.value
    return {key: Tally(*json.loads(value)) for key, value in values.items() if value is not None}


FAUST = System(
    "Faust exactly_once",
    ("-m", "tests.chaos.faust_worker", "worker", "--without-web", "-l", "warn"),
    prepare=_faust_prepare,
    written=_faust_written,
    state=_faust_state,
    tidy=False,
)

SYSTEMS: Mapping[str, System] = {"snowshed": SNOWSHED, "faust": FAUST}
