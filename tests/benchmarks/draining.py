"""How fast a consumer group works a backlog off, seen from outside: by the offsets it commits."""

from __future__ import annotations

import time
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from tests.benchmarks.jobs import Job
from tests.benchmarks.stage import Stage

from snowshed.schemas.connection import Property

__all__ = ["Backlog", "Drained", "drain"]

_LOOK_SECONDS = 0.05
_START_SECONDS = 120.0
_SHARE = 0.95
_NO_COORDINATOR = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


@dataclass(frozen=True, slots=True)
class Backlog:
    """Records that wait on a topic."""

    topic: str
    partitions: int
    records: int


@dataclass(frozen=True, slots=True)
class Drained:
    """What a group did between its first commit and nearly the end of the backlog, or the end of its time."""

    records: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds

    @property
    def cpu_per_record(self) -> float:
        """Microseconds of processor time a record."""
        return self.cpu_seconds / self.records * 1e6


class _Position:
    """Reads a group's committed offsets without joining it."""

    def __init__(self, stage: Stage, group: str, backlog: Backlog) -> None:
        # Uncommitted isolation: the answer must not wait for transactions that are under way.
        own: dict[str, Property] = {"group.id": group, "isolation.level": "read_uncommitted", "log_level": 2}
        self._consumer = Consumer(stage.connection.librdkafka(own))
        self._total = 0
        self._places = [TopicPartition(backlog.topic, number) for number in range(backlog.partitions)]

    def total(self) -> int:
        """Records behind the committed offsets; what it was before while the broker has no coordinator at hand."""
        try:
            places = self._consumer.committed(self._places, 30)
        except KafkaException as error:
            if error.args[0].code() not in _NO_COORDINATOR:
                raise
        else:
            self._total = sum(max(place.offset, 0) for place in places)
        return self._total

    def close(self) -> None:
        """Close the client."""
        self._consumer.close()


def drain(stage: Stage, job: Job, group: str, backlog: Backlog, *, limit: float) -> Drained:
    """Watch a running job whose group works a backlog off, for `limit` seconds at most.

    Start-up is left out: counting begins with the first offsets committed. It ends shortly before the backlog does, so
    that both ends lie amid work: what is under way then, read and not yet committed, cancels out.

    Raises:
        RuntimeError: the job ended, or worked the backlog off too fast to be measured.
        TimeoutError: the job committed nothing.
    """
    position = _Position(stage, group, backlog)
    try:
        first = _await_first(job, position)
        started, cpu = time.perf_counter(), job.cpu_seconds
        done = first
        while done < _SHARE * backlog.records and time.perf_counter() < started + limit:
            job.check()
            time.sleep(_LOOK_SECONDS)
            done = position.total()
        if done == first:
            raise RuntimeError(f"{job.name}: {backlog.records} records are too few or {limit} s too short to measure")
        return Drained(done - first, time.perf_counter() - started, job.cpu_seconds - cpu)
    finally:
        position.close()


def _await_first(job: Job, position: _Position) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while not (first := position.total()):
        job.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{job.name} committed nothing within {_START_SECONDS:.0f} s")
        time.sleep(_LOOK_SECONDS)
    return first
