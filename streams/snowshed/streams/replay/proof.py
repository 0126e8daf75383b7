"""Proves from Kafka alone that what workers decided followed from their input.

Every journalled batch is folded again, and its outputs, the checkpoints and the state are compared with what stands on
the topics, byte for byte. Partitions are folded one after the other and topics read once more, so memory holds one
partition's state at a time; what should stand on the topics waits in a temporary file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.folding import Fold
from snowshed.streams.replay.differences import Difference, FieldDifference, Findings, Kind, Unproved, compared
from snowshed.streams.replay.expectations import OUTPUT_SPECS, expectations, readable
from snowshed.streams.replay.lane_proof import LaneLog, LaneProof, prove_lane
from snowshed.streams.replay.ledger import Ledger
from snowshed.streams.replay.log import Log, Record, open_log
from snowshed.streams.replay.offline import Lanes
from snowshed.streams.replay.outputs import OutputCheck, Writer
from snowshed.streams.replay.refold import Refolded, flawed
from snowshed.streams.transactions.producer import Write

__all__ = ["Proof", "prove"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What comparing came to."""

    lanes: tuple[LaneProof, ...]
    """What was compared, by agent and partition."""
    unproved: tuple[Unproved, ...]
    """Partitions of which nothing can be folded again yet."""
    outputs: int
    """Outputs that stand on the topics as they should."""
    compacted: int
    """Outputs that a later one of the same key has replaced."""
    expired: int
    """Outputs that were older than what their topic still has."""
    differences: tuple[Difference, ...]
    """The earliest first, which is shown in full; only so many are kept."""
    differing: int
    """All differences."""

    @property
    def batches(self) -> int:
        """Batches folded again."""
        return sum(lane.batches for lane in self.lanes)

    @property
    def records(self) -> int:
        """Input records folded again."""
        return sum(lane.records for lane in self.lanes)

    @property
    def state_keys(self) -> int:
        """State keys compared."""
        return sum(lane.state_keys for lane in self.lanes)


def prove(connection: KafkaConnection, topics: Topics, folds: Mapping[str, Fold[Any, Any]], codec: Codec) -> Proof:
    """Fold what workers have journalled and compare it with what they wrote; they may go on meanwhile.

    Args:
        connection: where the broker is.
        topics: full topic names.
        folds: the folds of the agents to prove, by agent name, under the policy of the workers.
        codec: as the workers have it.

    Raises:
        BrokerUnavailable: a broker did not answer, or retention removed what was being read.
        ConfigurationError: a topic does not exist.
    """
    with open_log(connection, topics) as log, closing(Ledger()) as ledger:
        return _Prover(log, ledger, folds, codec).run()


@dataclass(slots=True)
class _Prover:
    log: Log
    ledger: Ledger
    folds: Mapping[str, Fold[Any, Any]]
    codec: Codec
    findings: Findings = field(default_factory=Findings)
    writers: dict[str, Writer] = field(default_factory=dict[str, Writer])
    ends: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    proved: list[LaneProof] = field(default_factory=list[LaneProof])
    unproved: list[Unproved] = field(default_factory=list[Unproved])

    def run(self) -> Proof:
        counts = {spec.name: len(self.log.partitions(spec.name)) for spec in OUTPUT_SPECS}
        for agent in AGENTS:
            for partition in self.log.partitions(f"journal.{agent}"):
                self._lane(agent, partition, counts)
        check = OutputCheck(self.ledger, self.findings, self.codec, self.writers)
        for spec in OUTPUT_SPECS:
            for partition in range(counts[spec.name]):
                low, end = self.log.bounds(spec.name, partition)
                check.open(spec, partition, low)
                for record in self.log.read_whole(spec.name, partition, low, end):
                    check.look(spec, partition, record)
        check.finish(self._moved)
        return Proof(
            lanes=tuple(self.proved),
            unproved=tuple(self.unproved),
            outputs=check.equal,
            compacted=check.compacted,
            expired=check.expired,
            differences=tuple(self._explained()),
            differing=self.findings.count,
        )

    def _lane(self, agent: str, partition: int, counts: Mapping[str, int]) -> None:
        source = f"/snowshed/{agent}/{partition}"
        if agent not in self.folds:
            self.writers[source] = Writer(agent, partition, None)
            return
        lane_log = LaneLog.read(self.log, agent, partition, self.codec)
        self.writers[source] = Writer(agent, partition, lane_log.window)
        self.ends[agent, partition] = lane_log.journal_end
        for flaw in lane_log.search.flaws:
            self.findings.add(flawed(flaw))
        if lane_log.start is not None:

            def take(refolded: Refolded) -> None:
                self.ledger.expect(expectations(refolded, self.codec, self.log.topics, counts))

            lane = self._lanes().fresh(agent, partition)
            self.proved.append(prove_lane(lane_log, lane_log.start, lane, self.findings, take))
        elif not lane_log.untouched:
            self.unproved.append(lane_log.search.unproved(agent, partition))

    def _lanes(self) -> Lanes:
        return Lanes(self.folds, self.log.topics, self.codec)

    def _moved(self, writer: Writer) -> bool:
        end = self.ends[writer.agent, writer.partition]
        return self.log.bounds(f"journal.{writer.agent}", writer.partition).end > end

    # The first difference in full: its batch is folded once more, so that what is expected need not be kept of all.

    def _explained(self) -> Iterator[Difference]:
        for number, difference in enumerate(self.findings.kept):
            needs_fold = not number and difference.kind in {Kind.CHANGED, Kind.MISSING}
            yield self._in_full(difference) if needs_fold else difference

    def _in_full(self, difference: Difference) -> Difference:
        folded = self._folded(difference)
        if folded is None or folded.outcome is None:
            return difference
        expected, entry = folded.outcome.plan.outputs[difference.index], folded.entry
        return replace(
            difference,
            first_offset=entry.first_offset,
            next_offset=entry.next_offset,
            fields=self._fields(expected, difference),
        )

    def _fields(self, expected: Write, difference: Difference) -> tuple[FieldDifference, ...]:
        if difference.offset < 0:
            return compared(readable(self.codec, expected.value), None)
        found = self._found(difference)
        fields = compared(readable(self.codec, expected.value), readable(self.codec, found.message.value))
        key = compared(expected.key, found.message.key)
        return (*(replace(one, name="key") for one in key), *_headers(expected, found), *fields)

    def _folded(self, difference: Difference) -> Refolded | None:
        lane_log = LaneLog.read(self.log, difference.agent, difference.partition, self.codec)
        lane = self._lanes().fresh(difference.agent, difference.partition)
        if lane_log.start is None:
            return None
        lane_log.resume(lane, lane_log.start)
        batches = lane_log.folded(lane, lane_log.start)
        return next((refolded for refolded in batches if refolded.entry.version == difference.version), None)

    def _found(self, difference: Difference) -> Record:
        place = (difference.topic, difference.topic_partition, difference.offset)
        return next(self.log.read_whole(*place, difference.offset + 1))


def _headers(expected: Write, found: Record) -> Iterator[FieldDifference]:
    one = {name: str(value) for name, value in expected.headers}
    other = {name: str(value) for name, value in found.headers}
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield FieldDifference(f"header {name}", one.get(name), other.get(name))
