"""What the benchmarks of one run share: sizes, a scratch folder and, once one of them needs it, a broker."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar, cast
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tests.support.kafka import open_test_broker

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import Topics
from snowshed.streams.broker import Broker

__all__ = ["Stage"]

T = TypeVar("T")

_FULL_REPEATS = 5
_TOPIC_SECONDS = 60.0


class Stage:
    """Opened by the runner; closing it ends the broker.

    Args:
        quick: small sizes and one repeat, to see that everything runs.
        repeats: how often each figure is measured instead of five times.
        stack: what closes at the end of the run.
    """

    def __init__(self, stack: ExitStack, *, quick: bool, repeats: int | None = None) -> None:
        self.quick = quick
        self._repeats = repeats
        self.folder = Path(mkdtemp(prefix="snowshed-benchmarks-"))
        self._stack = stack

    @property
    def repeats(self) -> int:
        """How often each figure is measured."""
        return self._repeats or self.pick(_FULL_REPEATS, 1)

    def often(self, full: int, quick: int) -> int:
        """How often a figure is measured that wants more, or can bear fewer, repeats than others."""
        return self._repeats or self.pick(full, quick)

    def pick(self, full: T, quick: T) -> T:
        """The size for this run."""
        return quick if self.quick else full

    @cached_property
    def broker(self) -> Broker:
        """The broker of the run, started at its first use."""
        return self._stack.enter_context(open_test_broker(progress=self.tell))

    @property
    def used_broker(self) -> str | None:
        """The broker's kind, if one was used."""
        used = cast("Broker | None", self.__dict__.get("broker"))
        return None if used is None else f"Apache Kafka, {used.kind}, one node"

    @property
    def connection(self) -> KafkaConnection:
        """Where the broker is."""
        return KafkaConnection(self.broker.bootstrap)

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient(self.connection.librdkafka({"log_level": 2}))

    def tell(self, message: str) -> None:
        """Show progress."""
        print(f"  {time.strftime('%H:%M:%S')} {message}", flush=True)

    def unique(self, name: str) -> str:
        """A name for a group, a prefix or a topic that nothing has used."""
        return f"{name}-{uuid4().hex[:8]}"

    def create(self, topic: str, partitions: int, config: dict[str, str] | None = None) -> None:
        """Create a topic."""
        wanted = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=config or {})
        self._await(self._admin.create_topics([wanted]))

    def create_dated(self, topics: Topics, short: str) -> str:
        """Create an input topic that takes producers' time stamps for append times; its full name.

        A backlog filled in seconds can so cover the minutes that it stands for.
        """
        name = topics.full(short)
        config = topics.config(short) | {"message.timestamp.type": "CreateTime"}
        self.create(name, topics.partitions(short), config)
        return name

    def forget(self, prefix: str, keep: Iterable[str] = ()) -> None:
        """Delete the topics that begin with `prefix`, apart from those to keep."""
        kept = set(keep)
        doomed = [name for name in self._names() if name.startswith(prefix) and name not in kept]
        if doomed:
            self._await(self._admin.delete_topics(doomed))
        deadline = time.monotonic() + _TOPIC_SECONDS
        while self._names() & set(doomed):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the broker still lists {doomed}")
            time.sleep(0.1)

    def _names(self) -> set[str]:
        return set(self._admin.list_topics(timeout=_TOPIC_SECONDS).topics)

    @staticmethod
    def _await(answers: Any) -> None:
        for name, answer in answers.items():
            try:
                answer.result(_TOPIC_SECONDS)
            except KafkaException as error:
                raise RuntimeError(f"topic {name}: {error}") from error
