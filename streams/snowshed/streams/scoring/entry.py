"""What a simple monitor sees: requests from outside, second by second."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import TimingBatch, Vantage
from snowshed.streams.replay import Recording
from snowshed.streams.scoring.label import Label

__all__ = ["EntrySecond", "entry_seconds"]


@dataclass(slots=True)
class EntrySecond:
    """One second of all entry edges, as their callers see it."""

    ok: float = 0.0
    attempts: float = 0.0
    latency: float = 0.0
    """Of all attempts together, in seconds."""

    @property
    def mean_latency(self) -> float:
        """Of one attempt."""
        return self.latency / self.attempts if self.attempts else 0.0


def entry_seconds(recording: Recording, label: Label) -> list[EntrySecond]:
    """The seconds of a case, from the timings in its recording."""
    seconds: defaultdict[int, EntrySecond] = defaultdict(EntrySecond)
    for batch in _batches(recording):
        second = seconds[round(batch.window_start - label.start)]
        for row, caller in enumerate(batch.caller):
            if f"{batch.strings[int(caller)]}>{batch.callee}" in label.entries:
                second.ok += batch.ok[row]
                second.attempts += batch.attempts[row]
                second.latency += batch.latency_sum[row]
    return [seconds[number] for number in range(label.seconds)]


def _batches(recording: Recording) -> Iterator[TimingBatch]:
    codec = Codec()
    for record in recording.of("timings"):
        value = codec.decode(record.message.value)
        if isinstance(value, TimingBatch) and value.vantage is Vantage.CALLER:
            yield value
