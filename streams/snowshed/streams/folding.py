"""The seam between the log and what decides: a fold turns a batch of records and a time into new state and outputs.

A fold is pure. It reads no clock, draws no random number and does no I/O, so folding the journalled batches again
gives the same decisions byte for byte; the transactional core relies on that to prove that nothing was decided twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from snowshed.schemas.errors import DecodeError
from snowshed.schemas.records import Record

__all__ = ["SETTLED", "Batch", "Decoded", "Emission", "Fold", "Message", "Reject", "Step"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


SETTLED = b"\x00settled"
"""Key of records without a value that were written only to end a transaction, and mean nothing."""


class Message(NamedTuple):
    """One record as it stands in the log, undecoded."""

    offset: int
    timestamp: float
    """Append time by the broker's clock, seconds since the Unix epoch."""
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Reject:
    """A message that could not be decoded, and why."""

    message: Message
    error: DecodeError


@dataclass(frozen=True, slots=True)
class Decoded(Generic[R_co]):
    """The readable part of a run of messages, in the form its fold wants, and the unreadable rest."""

    records: R_co
    rejects: tuple[Reject, ...] = ()
    taken: int | None = None
    """How many of the messages these are, where the next one begins a batch of its own; None for all of them."""


@dataclass(frozen=True, slots=True)
class Batch(Generic[R_co]):
    """What one step folds: records of one partition, or none for a tick.

    `now` is on the broker's clock and never goes back within a partition. While the partition is behind its end
    (`caught_up` is false) it is the append time of the newest record read, so silence is judged only up to there.
    """

    partition: int
    first_offset: int
    next_offset: int
    version: int
    """Commits of this partition once this batch is committed."""
    now: float
    caught_up: bool
    detector_lag: float
    """Seconds between the newest record's append time and the moment it was taken for folding; 0 for ticks."""
    records: R_co


@dataclass(frozen=True, slots=True)
class Emission:
    """One output record, addressed by the catalogue's short topic name."""

    topic: str
    key: str
    record: Record
    rule: str
    """The rule that produced it and the rule's version, such as `node-suspect/1`."""


@dataclass(frozen=True, slots=True)
class Step(Generic[S_co]):
    """What a step changes: state values to put (or, where None, to delete) and records to emit."""

    changes: Mapping[str, S_co | None]
    emissions: tuple[Emission, ...] = ()
    lost: float = 0.0
    """Input records that their senders are now known to have lost; for metrics alone."""
    clock_off: float | None = None
    """Seconds by which the worst of the senders' clocks is proved to be off, None where this is as before; likewise."""

    @property
    def empty(self) -> bool:
        """Whether the step did nothing, so that a tick need not be committed."""
        return not self.changes and not self.emissions


class Fold(Protocol[R, S]):
    """One level-1 or level-2 agent's judgement over its own partition of the log."""

    @property
    def agent(self) -> str:
        """Name used in transactional ids, state and journal topics, and metrics."""
        ...

    def decode(self, messages: Sequence[Message]) -> Decoded[R]:
        """Turn messages, or as many as belong in one batch, into its form; no messages give the records of a tick."""
        ...

    def step(self, state: Mapping[str, S], batch: Batch[R]) -> Step[S]:
        """Judge one batch against the state; must not modify either."""
        ...

    def dump(self, value: S) -> bytes:
        """Serialise a state value so that `load` gives back an equal one."""
        ...

    def load(self, raw: bytes) -> S:
        """Read a state value back; must also read what earlier versions wrote."""
        ...
