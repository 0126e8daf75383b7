"""What a replay came to, and how it is added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from snowshed.schemas.records import DeadLetter, Decision, Incident, Record
from snowshed.streams.folding import Step
from snowshed.streams.replay.differences import Difference, Unproved

__all__ = ["ReplayResult", "Tally"]


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay came to."""

    batches: int
    records: int
    verified: int
    """Batches whose outputs have the digest that the live run journalled."""
    refused: int
    """Batches whose record the live run set aside because the broker refused the outputs: no fold can show that."""
    differences: tuple[Difference, ...]
    unproved: tuple[Unproved, ...]
    """Partitions that were not folded, because the recording does not hold what their state hung on."""
    incidents: tuple[Incident, ...]
    """Each incident's last form, in the order they opened."""
    decisions: tuple[Decision, ...]
    """Every decision in the order it was taken."""
    dead_letters: tuple[DeadLetter, ...]


@dataclass(slots=True)
class Tally:
    """The sums of a replay that is under way."""

    batches: int = 0
    records: int = 0
    verified: int = 0
    refused: int = 0
    differences: list[Difference] = field(default_factory=list[Difference])
    unproved: list[Unproved] = field(default_factory=list[Unproved])
    incidents: dict[str, Incident] = field(default_factory=dict[str, Incident])
    decisions: list[Decision] = field(default_factory=list[Decision])
    letters: list[DeadLetter] = field(default_factory=list[DeadLetter])

    def note(self, step: Step[Any], letters: Sequence[DeadLetter], records: int) -> None:
        """Add one batch."""
        self.batches += 1
        self.records += records
        self.letters.extend(letters)
        for emission in step.emissions:
            self._note_record(emission.record)

    def _note_record(self, record: Record) -> None:
        if isinstance(record, Incident):
            self.incidents[record.incident_id] = record
        elif isinstance(record, Decision):
            self.decisions.append(record)

    def result(self) -> ReplayResult:
        """The sums so far."""
        return ReplayResult(
            batches=self.batches,
            records=self.records,
            verified=self.verified,
            refused=self.refused,
            differences=tuple(self.differences),
            unproved=tuple(self.unproved),
            incidents=tuple(sorted(self.incidents.values(), key=lambda incident: incident.opened_at)),
            decisions=tuple(sorted(self.decisions, key=lambda decision: decision.issued_at)),
            dead_letters=tuple(self.letters),
        )
