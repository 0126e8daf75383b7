"""Folds a recording that has no journal, in steps of the log's own time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import PolicyChange
from snowshed.schemas.topics import partition_for
from snowshed.streams.folding import Batch, Emission, Message, Step
from snowshed.streams.replay.expectations import readable
from snowshed.streams.replay.offline import Lanes, OfflineLane, Unfoldable
from snowshed.streams.replay.recording import Recorded, Recording
from snowshed.streams.replay.result import Tally

__all__ = ["fold_by_time"]

_TICK = 0.2
"""Seconds between batches."""

_OBSERVATIONS = "observations"


_Waiting = Mapping[tuple[str, int], list[Message]]
"""Messages by agent and partition."""


class _Inbox:
    """The observations topic, in memory: what level 1 emits in a step and level 2 folds in the same step.

    Changes of the policy that were recorded there come before that; whatever else was is level 1's, which says it anew.
    """

    def __init__(self, partitions: int, codec: Codec) -> None:
        self._partitions, self._codec = partitions, codec
        self._ends = [0] * partitions
        self._waiting: list[list[Message]] = [[] for _ in range(partitions)]

    def take_in(self, emissions: Sequence[Emission], now: float) -> None:
        """Append the observations among `emissions`."""
        for emission in emissions:
            if emission.topic == _OBSERVATIONS:
                key = emission.key.encode()
                self._append(partition_for(key, self._partitions), now, key, self._codec.encode(emission.record))

    def take_over(self, partition: int, recorded: Sequence[Message], now: float) -> None:
        """Append what was recorded there."""
        for message in recorded:
            self._append(partition, now, message.key, message.value)

    def _append(self, partition: int, now: float, key: bytes | None, value: bytes | None) -> None:
        self._waiting[partition].append(Message(self._ends[partition], now, key, value))
        self._ends[partition] += 1

    def empty(self) -> list[list[Message]]:
        """Take out what waits, by partition."""
        taken, self._waiting = self._waiting, [[] for _ in range(self._partitions)]
        return taken


def fold_by_time(recording: Recording, lanes: Lanes, codec: Codec, tally: Tally) -> None:
    """Fold in steps of `_TICK` seconds of the log's own time, level 1 first, then level 2 over what it emitted."""
    steps = _steps(recording, lanes, codec)
    judge = lanes.agents[_OBSERVATIONS]
    places = sorted({place for _, waiting in steps for place in waiting if place[0] != judge})
    inbox = _Inbox(recording.partitions.get(_OBSERVATIONS, 1), codec)
    for now, waiting in steps:
        for (agent, partition), recorded in waiting.items():
            if agent == judge:
                inbox.take_over(partition, recorded, now)
        for place in places:
            for step in _tick(lanes.get(*place), waiting.get(place, []), now, tally):
                inbox.take_in(step.emissions, now)
        for partition, observed in enumerate(inbox.empty()):
            _tick(lanes.get(judge, partition), observed, now, tally)


def _steps(recording: Recording, lanes: Lanes, codec: Codec) -> list[tuple[float, _Waiting]]:
    """The times to step to, each with what arrives until then by agent and partition."""
    inputs = sorted(
        (record for record in recording.records if record.topic in lanes.agents and not _said_anew(record, codec)),
        key=lambda record: (record.message.timestamp, record.topic, record.partition, record.message.offset),
    )
    if not inputs:
        return []
    start = inputs[0].message.timestamp
    count = int((inputs[-1].message.timestamp - start) / _TICK) + 1
    steps: list[tuple[float, defaultdict[tuple[str, int], list[Message]]]] = [
        (start + (number + 1) * _TICK, defaultdict(list)) for number in range(count)
    ]
    for record in inputs:
        place = (lanes.agents[record.topic], record.partition)
        steps[int((record.message.timestamp - start) / _TICK)][1][place].append(record.message)
    return [*steps]


def _said_anew(record: Recorded, codec: Codec) -> bool:
    """Whether level 1 says it again: all observations but changes of the policy."""
    return record.topic == _OBSERVATIONS and not isinstance(readable(codec, record.message.value), PolicyChange)


def _tick(lane: OfflineLane, messages: Sequence[Message], now: float, tally: Tally) -> list[Step[Any]]:
    try:
        outcome = lane.judged(messages, _frame(lane, messages, now))
    except Unfoldable:
        # As a live lane does: by halves, until the record that breaks the fold stands alone.
        middle = len(messages) // 2
        halves = (messages[:middle], messages[middle:]) if middle else ()
        return [step for half in halves for step in _tick(lane, half, now, tally)]
    if messages or not outcome.step.empty:
        lane.take_on(outcome)
        tally.note(outcome.step, outcome.letters, len(messages))
    else:
        lane.now = outcome.batch.now
    return [outcome.step]


def _frame(lane: OfflineLane, messages: Sequence[Message], now: float) -> Batch[Any]:
    return Batch(
        partition=lane.partition,
        first_offset=messages[0].offset if messages else lane.next_offset,
        next_offset=messages[-1].offset + 1 if messages else lane.next_offset,
        version=lane.version + 1,
        now=max(now, lane.now),
        caught_up=True,
        detector_lag=now - messages[-1].timestamp if messages else 0.0,
        records=None,
    )
