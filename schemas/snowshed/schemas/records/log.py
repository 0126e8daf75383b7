"""What the transactional core writes about its own work."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DeadLetter", "JournalEntry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that could not be used: its bytes, why, and where it came from."""

    topic: str
    partition: int
    offset: int
    timestamp: float
    key: bytes | None
    value: bytes | None
    header_names: tuple[str, ...] = ()
    header_values: tuple[bytes, ...] = ()
    error: str
    """Class of the error."""
    reason: str
    rejected_at: float
    key_size: int = 0
    value_size: int = 0

    @property
    def cut(self) -> bool:
        """Whether the letter holds only the beginning of its record, which was too large to be wrapped whole."""
        return self.key_size > len(self.key or b"") or self.value_size > len(self.value or b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One committed micro-batch: enough to fold it again and get the same state and outputs."""

    agent: str
    topic: str
    partition: int
    version: int
    """Commits of this partition so far; the state's version after this batch."""
    first_offset: int
    next_offset: int
    records: int
    now: float
    """The time the fold was given."""
    caught_up: bool
    detector_lag: float
    """Age of the batch's newest record when it was folded."""
    dead_letters: int
    """Records set aside instead of folded."""
    emissions: int
    digest: int
    """CRC-32 over the emitted keys and values: a replay that differs is seen at once."""
