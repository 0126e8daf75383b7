"""A lane without Kafka: the same folding, planning and setting aside, with nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ServerUnavailable, SnowshedError
from snowshed.schemas.records import DeadLetter
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.folding import Batch, Decoded, Fold, Message, Step
from snowshed.streams.transactions.journal import Applied
from snowshed.streams.transactions.plan import Plan, Planner, dead_letter

__all__ = ["Lanes", "OfflineLane", "Outcome", "Unfoldable"]


class Unfoldable(SnowshedError):
    """The fold raises for a run of records, or for a tick: a live lane would not have committed it as it is."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one batch comes to."""

    batch: Batch[Any]
    step: Step[Any]
    letters: tuple[DeadLetter, ...]
    plan: Plan


@dataclass(slots=True)
class OfflineLane:
    """One partition under replay."""

    fold: Fold[Any, Any]
    planner: Planner
    source: str
    partition: int
    state: dict[str, Any] = field(default_factory=dict[str, Any])
    version: int = 0
    now: float = 0.0
    next_offset: int = 0

    def resume(self, applied: Applied, values: Mapping[str, bytes]) -> None:
        """Put the lane where a checkpoint was written."""
        self.state = {key: self.fold.load(raw) for key, raw in values.items()}
        self.version, self.now, self.next_offset = applied.version, applied.now, applied.next_offset

    def judged(self, messages: Sequence[Message], frame: Batch[Any]) -> Outcome:
        """Fold one batch without taking on its changes; a record that cannot be folded becomes a dead letter.

        Raises:
            Unfoldable: the fold raises, and it is not for a record that stands alone.
        """
        try:
            decoded = self._decoded(messages)
            batch = replace(frame, records=decoded.records)
            letters = [
                dead_letter(self.source, self.partition, reject.message, reject.error, batch.now)
                for reject in decoded.rejects
            ]
            return self._outcome(batch, self.fold.step(self.state, batch), letters, len(messages))
        except (ServerUnavailable, Unfoldable):
            raise
        except Exception as error:  # what a live lane narrows down to one record, and sets that aside
            if len(messages) != 1:
                raise Unfoldable(f"{type(error).__name__}: {error}") from error
            return self.buried(messages[0], error, frame)

    def _decoded(self, messages: Sequence[Message]) -> Decoded[Any]:
        decoded = self.fold.decode(messages)
        if decoded.taken is not None:
            raise Unfoldable(f"the record behind the first {decoded.taken} begins a batch of its own")
        return decoded

    def buried(self, message: Message, error: Exception, frame: Batch[Any]) -> Outcome:
        """What it comes to that a live lane set one record aside because of `error`."""
        letter = dead_letter(self.source, self.partition, message, error, frame.now)
        return self._outcome(frame, Step({}), [letter], 1)

    def take_on(self, outcome: Outcome) -> None:
        """Change the state as a live lane does once a batch is committed."""
        for key, value in outcome.step.changes.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        self.pass_by(outcome.batch)

    def pass_by(self, batch: Batch[Any]) -> None:
        """Go on behind a batch."""
        self.version, self.now, self.next_offset = batch.version, batch.now, batch.next_offset

    def _outcome(self, batch: Batch[Any], step: Step[Any], letters: list[DeadLetter], records: int) -> Outcome:
        return Outcome(batch, step, tuple(letters), self.planner.plan(batch, step, letters, records))


class Lanes:
    """Lanes by agent and partition, made as they are needed."""

    def __init__(self, folds: Mapping[str, Fold[Any, Any]], topics: Topics, codec: Codec) -> None:
        self._folds, self._topics, self._codec = folds, topics, codec
        self._lanes: dict[tuple[str, int], OfflineLane] = {}
        self.agents = {AGENTS[name]: name for name in folds}

    def get(self, agent: str, partition: int) -> OfflineLane:
        """The lane of an agent's partition."""
        if (agent, partition) not in self._lanes:
            self._lanes[agent, partition] = self.fresh(agent, partition)
        return self._lanes[agent, partition]

    def fresh(self, agent: str, partition: int) -> OfflineLane:
        """A lane of an agent's partition that has folded nothing yet."""
        fold, source = self._folds[agent], self._topics.full(AGENTS[agent])
        planner = Planner(fold, self._topics, self._codec, source, partition)
        return OfflineLane(fold, planner, source, partition)
