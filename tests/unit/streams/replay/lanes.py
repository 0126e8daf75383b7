"""A journalled run without Kafka: batches of a counting fold, and the records that they would have written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.support.counting import CountingFold, payload

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import JournalEntry
from snowshed.schemas.topics import Topics, partition_for
from snowshed.streams.folding import Batch, Message
from snowshed.streams.replay.log import Record
from snowshed.streams.replay.offline import Lanes, OfflineLane
from snowshed.streams.replay.refold import Inputs, Refolded, refold

__all__ = ["PARTITIONS", "Night", "fresh_lane", "messages"]

PARTITIONS = 4


def fresh_lane(fold: CountingFold | None = None) -> OfflineLane:
    """Partition 0 of the counting fold."""
    return Lanes({"heartbeats": fold or CountingFold()}, Topics(), Codec()).fresh("heartbeats", 0)


def messages(numbers: Iterable[int | bytes]) -> list[Message]:
    """Input records of two keys, one a second."""
    return [
        Message(offset, 100.0 + offset, b"key-%d" % (offset % 2), value if isinstance(value, bytes) else payload(value))
        for offset, value in enumerate(numbers)
    ]


@dataclass(slots=True)
class Night:
    """What a live lane journalled and wrote for these batches."""

    batches: Sequence[Sequence[Message]]
    entries: list[JournalEntry] = field(default_factory=list[JournalEntry])
    outputs: list[tuple[str, int, Record]] = field(default_factory=list[tuple[str, int, Record]])
    """By topic and partition, in log order."""

    def __post_init__(self) -> None:
        lane = fresh_lane()
        for batch in self.batches:
            frame: Batch[None] = Batch(
                partition=0,
                first_offset=batch[0].offset,
                next_offset=batch[-1].offset + 1,
                version=lane.version + 1,
                now=batch[-1].timestamp,
                caught_up=True,
                detector_lag=0.0,
                records=None,
            )
            outcome = lane.judged(batch, frame)
            lane.take_on(outcome)
            for write in outcome.plan.outputs:
                place = partition_for(write.key, PARTITIONS)
                headers = tuple((name, value) for name, value in write.headers if not isinstance(value, str))
                offset = sum(partition == place for _, partition, _ in self.outputs)
                record = Record(Message(offset, frame.now, write.key, write.value), headers)
                self.outputs.append((write.topic.removeprefix("snowshed."), place, record))
            [entry] = [Codec().decode(write.value) for write in outcome.plan.bookkeeping if ".journal." in write.topic]
            assert isinstance(entry, JournalEntry)
            self.entries.append(entry)

    def refolded(self, fold: CountingFold | None = None) -> Iterator[Refolded]:
        """The batches, folded again."""
        return refold(fresh_lane(fold), self.entries, Inputs([one for batch in self.batches for one in batch]))
