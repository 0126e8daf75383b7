"""A lane without Kafka: the same folding, planning and setting aside, with nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import DeadLetter
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.folding import Batch, Fold, Message, Step
from snowshed.streams.transactions.plan import Plan, Planner, dead_letter

__all__ = ["Lanes", "OfflineLane"]


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

    def apply(self, messages: Sequence[Message], frame: Batch[Any]) -> tuple[Step[Any], list[DeadLetter], Plan]:
        """Fold one batch; a record that the fold cannot take becomes a dead letter, as in a live lane."""
        decoded = self.fold.decode(messages)
        batch = replace(frame, records=decoded.records)
        letters = [
            dead_letter(self.source, self.partition, reject.message, reject.error, batch.now)
            for reject in decoded.rejects
        ]
        try:
            step = self.fold.step(self.state, batch)
        except Exception as error:  # noqa: BLE001 a rule that raises buries the record in a live lane as well
            step = Step[Any]({})
            letters = [dead_letter(self.source, self.partition, message, error, batch.now) for message in messages]
        plan = self.planner.plan(batch, step, letters, len(messages))
        if messages or not step.empty:
            self._publish(batch, step)
        self.now = batch.now
        return step, letters, plan

    def _publish(self, batch: Batch[Any], step: Step[Any]) -> None:
        for key, value in step.changes.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        self.version, self.next_offset = batch.version, batch.next_offset


class Lanes:
    """Lanes by agent and partition, made as they are needed."""

    def __init__(self, folds: Mapping[str, Fold[Any, Any]], topics: Topics, codec: Codec) -> None:
        self._folds, self._topics, self._codec = folds, topics, codec
        self._lanes: dict[tuple[str, int], OfflineLane] = {}
        self.agents = {AGENTS[name]: name for name in folds}

    def get(self, agent: str, partition: int) -> OfflineLane:
        """The lane of an agent's partition."""
        if (agent, partition) not in self._lanes:
            fold, source = self._folds[agent], self._topics.full(AGENTS[agent])
            planner = Planner(fold, self._topics, self._codec, source, partition)
            self._lanes[agent, partition] = OfflineLane(fold, planner, source, partition)
        return self._lanes[agent, partition]
