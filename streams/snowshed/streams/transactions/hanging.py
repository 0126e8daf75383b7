"""Finds what a predecessor left in the log that was never ended, neither committed nor aborted.

A broker that starts again after a crash may drop the markers that end a transaction: Apache Kafka 4.3 does so for
partitions that have no leader at that moment (KAFKA-20734). The coordinator then believes the transaction ended, and
its records hang until the successor, who writes with the same producer id, ends a transaction on the same partition: a
commit would commit them, an abort would undo them, whatever had become of their own. So a lane that has fenced and
restored looks for such records, and ends them as their transaction was meant to end (docs/adr/0005).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from snowshed.schemas.cloudevents import SEQUENCE
from snowshed.schemas.fetching import fetch
from snowshed.streams.transactions.errors import passes

__all__ = ["Left", "Place", "Question", "answer"]

_CALL_SECONDS = 10.0
_READ_SECONDS = 30.0
_FETCH = 10_000
_LATEST = -1


class Place(NamedTuple):
    """A partition."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Question:
    """What one lane asks.

    Its outputs and its journal are known by their CloudEvents headers: those whose `ce_sequence` is not beyond
    `applied` belong to a transaction that is committed, the others to one that is not.
    """

    own: frozenset[Place]
    """Partitions of its state. What hangs there is not committed, for the state that was read is."""
    shared: frozenset[str]
    """Topics that its outputs and its journal go to."""
    origin: str
    """The lane's `ce_source`."""
    applied: int
    """Version of the last batch that is committed."""
    done: Future[Left] = field(default_factory=Future["Left"])


@dataclass(frozen=True, slots=True)
class Left:
    """Where records of a lane hang."""

    unfinished: frozenset[Place]
    """Those of a transaction that is to be aborted."""
    finished: frozenset[Place]
    """Those of a transaction that is committed."""


def answer(questions: Sequence[Question], stable: Consumer, whole: Consumer) -> None:
    """Answer with the partitions on which records of the lane hang.

    Args:
        questions: of lanes that have fenced their predecessors.
        stable: a consumer that reads committed records only.
        whole: a consumer that reads all.
    """
    shared = _partitions(whole, frozenset[str]().union(*(question.shared for question in questions)))
    places = sorted(shared.union(*(question.own for question in questions)))
    lasts = _latest(stable, places)
    ends = _latest(whole, places)
    open_ = {place: (lasts[place], ends[place]) for place in places if lasts[place] < ends[place]}
    found = _sequences(whole, {place: bounds for place, bounds in open_.items() if place in shared})
    for question in questions:
        question.done.set_result(_left(question, found, open_.keys()))


def _left(question: Question, found: Mapping[tuple[Place, bytes], set[int]], open_: Collection[Place]) -> Left:
    origin = question.origin.encode()
    ours = {place: sequences for (place, source), sequences in found.items() if source == origin}
    unfinished = {place for place, sequences in ours.items() if max(sequences) > question.applied}
    finished = {place for place, sequences in ours.items() if min(sequences) <= question.applied}
    return Left(frozenset(unfinished | question.own.intersection(open_)), frozenset(finished))


def _partitions(consumer: Consumer, topics: frozenset[str]) -> set[Place]:
    listed = consumer.list_topics(timeout=_CALL_SECONDS).topics
    return {Place(name, number) for name in topics if name in listed for number in listed[name].partitions}


def _latest(consumer: Consumer, places: Iterable[Place]) -> Mapping[Place, int]:
    """Each partition's end as the consumer's isolation level sees it."""
    answers = consumer.offsets_for_times([TopicPartition(*place, _LATEST) for place in places], _CALL_SECONDS)
    for found in answers:
        if found.error is not None:
            raise KafkaException(found.error)
    return {Place(found.topic, found.partition): found.offset for found in answers}


def _sequences(consumer: Consumer, ranges: Mapping[Place, tuple[int, int]]) -> Mapping[tuple[Place, bytes], set[int]]:
    """The values of `ce_sequence` by `ce_source` within some ranges of the log."""
    found: defaultdict[tuple[Place, bytes], set[int]] = defaultdict(set)
    waiting = dict(ranges)
    consumer.assign([TopicPartition(*place, start) for place, (start, _) in ranges.items()])
    deadline = time.monotonic() + _READ_SECONDS
    while waiting:
        if time.monotonic() > deadline:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{sorted(waiting)} could not be read"))  # noqa: SLF001
        for message in fetch(consumer, _FETCH, 0.1):
            place = Place(message.topic() or "", message.partition() or 0)
            if _ends(message, waiting.get(place)):
                waiting.pop(place, None)
            source, sequence = _signature(message)
            if source:
                found[place, source].add(sequence)
    consumer.unassign()
    return found


def _ends(message: Message, bounds: tuple[int, int] | None) -> bool:
    """Whether nothing of the range comes after this message."""
    error = message.error()
    if error is None:
        return bounds is not None and (message.offset() or 0) >= bounds[1] - 1
    if error.code() != KafkaError._PARTITION_EOF and not passes(error):  # noqa: SLF001 librdkafka's public name
        raise KafkaException(error)
    return error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 librdkafka's public name


def _signature(message: Message) -> tuple[bytes, int]:
    """A record's `ce_source` and `ce_sequence`, empty and 0 where it has none."""
    if message.error() is not None:
        return b"", 0
    headers = dict(cast("list[tuple[str, bytes | None]]", message.headers() or []))
    sequence = headers.get(SEQUENCE) or b""
    return headers.get("ce_source") or b"", int(sequence) if sequence.isdigit() else 0
