"""Compares a lane's state, and its checkpoints, with the state that folding again comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from snowshed.streams.folding import Message
from snowshed.streams.replay.differences import Difference, Findings, Kind, compared
from snowshed.streams.replay.offline import OfflineLane
from snowshed.streams.replay.starts import Checkpoint
from snowshed.streams.transactions.journal import Applied

__all__ = ["StateCheck", "Stored"]


@dataclass(frozen=True, slots=True)
class Stored:
    """A state as it stands in Kafka."""

    values: Mapping[str, Message]
    """The newest record of each key."""
    applied: Applied


@dataclass(slots=True)
class StateCheck:
    """Follows a lane under replay and compares wherever Kafka holds a state of the version that it has come to.

    Args:
        agent: the lane's agent.
        lane: the lane.
        state: what its state topic holds.
        checkpoints: those that are to be compared, by version.
        values: reads a checkpoint's records.
        findings: takes the differences.
    """

    agent: str
    lane: OfflineLane
    state: Stored
    checkpoints: Mapping[int, Checkpoint]
    values: Callable[[Checkpoint], Mapping[str, Message]]
    findings: Findings
    keys: int = 0
    """State keys compared."""
    compared_checkpoints: int = 0

    def look(self) -> None:
        """Compare what there is of the version that the lane has come to."""
        version = self.lane.version
        if version == self.state.applied.version:
            self._compare(Kind.STATE, f"state.{self.agent}", self.state.values)
            self.keys = len(self.state.values)
        checkpoint = self.checkpoints.get(version)
        if checkpoint is not None and checkpoint.applied == self._applied:
            self._compare(Kind.CHECKPOINT, f"checkpoint.{self.agent}", self.values(checkpoint))
            self.compared_checkpoints += 1

    def finish(self, first: int) -> None:
        """Judge whether the state's version was among those folded, which begin behind version `first`."""
        version = self.state.applied.version
        if not first <= version <= self.lane.version:
            reason = (
                f"the state has come to version {version}, the journal goes from {first + 1} to {self.lane.version}"
            )
            self.findings.add(self._difference(Kind.STATE, f"state.{self.agent}", "", reason))

    @property
    def _applied(self) -> Applied:
        return Applied(self.lane.next_offset, self.lane.version, self.lane.now)

    def _compare(self, kind: Kind, topic: str, found: Mapping[str, Message]) -> None:
        for key in dict.fromkeys([*self.lane.state, *found]):
            expected, record = self.lane.state.get(key), found.get(key)
            if reason := self._reason(expected, record):
                value = None if record is None else self._loaded(record.value or b"")
                difference = self._difference(kind, topic, key, reason)
                place = -1 if record is None else record.offset
                self.findings.add(replace(difference, offset=place, fields=compared(expected, value)))

    def _reason(self, expected: object, record: Message | None) -> str:
        if expected is None:
            return "folding gives no such key"
        if record is None:
            return "the key is missing"
        return "" if self._same(expected, record.value) else "folding gives another value"

    def _same(self, expected: object, raw: bytes | None) -> bool:
        dumped = self.lane.fold.dump(expected)
        # An earlier release may have written the same value otherwise.
        return raw == dumped or (raw is not None and self._dumped_anew(raw) == dumped)

    def _dumped_anew(self, raw: bytes) -> bytes:
        value = self._loaded(raw)
        return raw if value is raw else self.lane.fold.dump(value)

    def _loaded(self, raw: bytes) -> Any:
        try:
            return self.lane.fold.load(raw)
        except Exception:  # noqa: BLE001 whatever a reader minds in bytes that are not its own
            return raw

    def _difference(self, kind: Kind, topic: str, key: str, reason: str) -> Difference:
        return Difference(
            kind=kind,
            agent=self.agent,
            partition=self.lane.partition,
            version=self.lane.version,
            at=self.lane.now,
            reason=reason,
            topic=topic,
            topic_partition=self.lane.partition,
            next_offset=self.lane.next_offset,
            key=key,
        )
