"""Compares the outputs that stand on the topics with those that the folded batches give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from typing import NamedTuple

from snowshed.consumers.notify.writing import NOTIFIER
from snowshed.schemas.cloudevents import ORDER_SOURCE, POLICY_SOURCE, event_id
from snowshed.schemas.codec import Codec
from snowshed.schemas.records import OperatorOrder, PolicyChange
from snowshed.schemas.topics import TopicSpec
from snowshed.streams.folding import SETTLED
from snowshed.streams.replay.differences import Difference, Findings, Kind, compared
from snowshed.streams.replay.expectations import LETTERS, OUTPUT_SPECS, plain_letter, readable, text_of
from snowshed.streams.replay.ledger import Expected, Ledger, Newest, fingerprint
from snowshed.streams.replay.log import Headers, Record

__all__ = ["OutputCheck", "Window", "Writer"]

_MICROSECOND = 1e-5
"""More than `ce_time` is rounded by."""
_LATE = 100
"""Records later than the last batch that are kept for each lane."""
_SKEW = 5.0
"""Seconds by which a worker's clock, which stamps most outputs, may be behind the broker's."""


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of the log's time in which a lane's outputs must be explained by a folded batch."""

    since: float = -inf
    """Time of the first batch folded; what is older is passed over."""
    floor: float = -inf
    """Up to here a record may be a batch's before the first."""
    until: float = -inf
    """From here on a record may be a batch's after the last, where workers have gone on meanwhile."""


class Writer(NamedTuple):
    """A lane, as its outputs name it."""

    agent: str
    partition: int
    window: Window | None
    """None where its outputs are not looked at."""


@dataclass(frozen=True, slots=True)
class _Head:
    low: int
    first: float = inf


@dataclass(slots=True)
class OutputCheck:
    """Looks at every output on the topics, then at what is missing.

    Args:
        ledger: what should stand there.
        findings: takes the differences.
        codec: reads and writes records.
        writers: every lane by its name as a source.
    """

    ledger: Ledger
    findings: Findings
    codec: Codec
    writers: Mapping[str, Writer]
    equal: int = 0
    compacted: int = 0
    """Outputs that a later one of the same key has replaced."""
    expired: int = 0
    """Outputs that were older than what their topic still has."""
    _late: dict[str, Findings] = field(default_factory=dict[str, Findings])
    _heads: dict[tuple[str, int], _Head] = field(default_factory=dict[tuple[str, int], _Head])

    def open(self, spec: TopicSpec, partition: int, low: int) -> None:
        """Begin with a partition of a topic, which has records from offset `low` on."""
        self._heads[spec.name, partition] = _Head(low)

    def look(self, spec: TopicSpec, partition: int, record: Record) -> None:
        """Judge the next record of the partition."""
        place = (spec.name, partition)
        if self._heads[place].first == inf:
            self._heads[place] = replace(self._heads[place], first=record.message.timestamp)
        if record.message.value is None and record.message.key == SETTLED:
            return  # it only ended a transaction
        if spec.name == LETTERS and record.message.value is None:
            return  # the mark that somebody has put the letter's record back
        if _applied_by_an_operator(record, self.codec):
            return
        if spec.name == LETTERS and _header(record.headers, "ce_source") == NOTIFIER:
            return  # a notice that could not be delivered: no batch gives that
        newest = self._judge(_Found(spec.name, partition, record))
        if "compact" in spec.cleanup:
            self.ledger.note_newest(spec.name, partition, record.message.key or b"", newest)

    def _judge(self, found: _Found) -> Newest:
        at, writer = found.at, self.writers.get(found.source)
        outside = Newest(at, -1, -1)
        if writer is None:
            self.findings.add(self._difference(Kind.UNEXPECTED, found, None, "it names no agent of ours as its source"))
            return outside
        window = writer.window
        if window is None or at < window.since - _MICROSECOND:
            return outside
        known = self.ledger.find(found.event_id)
        if known is None:
            if at > window.floor + _MICROSECOND:
                late = at >= window.until - _MICROSECOND
                findings = self._late.setdefault(found.source, Findings(_LATE)) if late else self.findings
                findings.add(self._difference(Kind.UNEXPECTED, found, writer, "no journalled batch gives it"))
            return outside
        expected, before = known
        self._compare(found, expected, writer, before=before)
        return Newest(expected.at, expected.version, expected.position)

    def _compare(self, found: _Found, expected: Expected, writer: Writer, *, before: bool) -> None:
        self.ledger.tick_off(expected.event_id)
        if before:
            self.findings.add(self._difference(Kind.REPEATED, found, writer, "it stands there twice", expected))
        elif (reason := self._changed(found, expected)) is not None:
            self.findings.add(self._difference(Kind.CHANGED, found, writer, reason, expected))
        else:
            self.equal += 1

    def _changed(self, found: _Found, expected: Expected) -> str | None:
        if (found.topic, found.partition) != (expected.topic, expected.topic_partition):
            return f"it belongs on {expected.topic}[{expected.topic_partition}]"
        message, value = found.record.message, found.record.message.value
        if found.topic == LETTERS:
            value = plain_letter(self.codec, value, refused=expected.refused)
        if fingerprint(message.key, value, found.record.headers) not in {expected.fingerprint, expected.cut}:
            return "it is not what its batch gives"
        return None

    def finish(self, moved: Callable[[Writer], bool]) -> None:
        """Judge what was not found, and what is later than the last batch.

        Args:
            moved: whether a lane has gone on since its journal was read.
        """
        for source, late in self._late.items():
            if not moved(self.writers[source]):
                self.findings.merge(late)
        compacted = {spec.name for spec in OUTPUT_SPECS if "compact" in spec.cleanup}
        for output in self.ledger.missing():
            head = self._heads[output.topic, output.topic_partition]
            newest = self.ledger.newest(output) if output.topic in compacted else None
            if head.low > 0 and output.at <= head.first + _SKEW:
                self.expired += 1
            elif newest is not None and (output.at, output.version, output.position) < newest:
                self.compacted += 1
            else:
                self.findings.add(_missing(output))

    def _difference(
        self, kind: Kind, found: _Found, writer: Writer | None, reason: str, expected: Expected | None = None
    ) -> Difference:
        return Difference(
            kind=kind,
            agent=writer.agent if writer else "",
            partition=writer.partition if writer else -1,
            version=expected.version if expected else -1,
            at=expected.at if expected else found.at,
            reason=reason,
            topic=found.topic,
            topic_partition=found.partition,
            offset=found.record.message.offset,
            index=expected.position if expected else -1,
            key=text_of(found.record.message.key),
            fields=compared(None, readable(self.codec, found.record.message.value)) if expected is None else (),
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """A record on an output topic."""

    topic: str
    partition: int
    record: Record

    @property
    def event_id(self) -> str:
        return event_id(self.record.headers)

    @property
    def source(self) -> str:
        return _header(self.record.headers, "ce_source")

    @property
    def at(self) -> float:
        """Its batch's time, or when it was written if it does not tell."""
        try:
            return datetime.fromisoformat(_header(self.record.headers, "ce_time")).timestamp()
        except ValueError:
            return self.record.message.timestamp


def _applied_by_an_operator(record: Record, codec: Codec) -> bool:
    """Whether a record is a change of the policy or an order, which no agent writes."""
    if _header(record.headers, "ce_source") not in {ORDER_SOURCE, POLICY_SOURCE}:
        return False
    return isinstance(readable(codec, record.message.value), PolicyChange | OperatorOrder)


def _missing(output: Expected) -> Difference:
    return Difference(
        kind=Kind.MISSING,
        agent=output.agent,
        partition=output.partition,
        version=output.version,
        at=output.at,
        reason="it does not stand on the topic, and no later record of its key explains that",
        topic=output.topic,
        topic_partition=output.topic_partition,
        index=output.position,
        key=text_of(output.key),
    )


def _header(headers: Headers, name: str) -> str:
    return next((text_of(value) for header, value in headers if header == name), "")
