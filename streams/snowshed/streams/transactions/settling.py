"""Ends what a broker that crashed left hanging of a lane's earlier transactions, as they were meant to end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import TopicPartition

from snowshed.streams.transactions.errors import Aborted, Hanging
from snowshed.streams.transactions.hanging import Left, Place
from snowshed.streams.transactions.producer import Writer

__all__ = ["Settling"]

log = structlog.get_logger()

_BACK_OFF_SECONDS = 0.2
_OTHERS_SECONDS = 2.0
"""How long records of a committed transaction may stand behind others' open ones before they count as hanging."""
_PATIENCE_SECONDS = 60.0
"""Before the lane gives up aborting what hangs. Records of its own that were aborted properly look the same while they
stand behind what hangs of another lane, which that one must end first."""


@dataclass(frozen=True, slots=True)
class Settling:
    """What a lane does between reading its state back and its first batch."""

    lane: str
    producer: Writer
    group: Callable[[], Any]
    """The consumer group's metadata."""
    left: Callable[[], Left]
    """Asks where records of the lane hang."""
    wait: Callable[[float], object]
    """Waits so many seconds, or until the lane is told to close."""

    def settle(self, position: TopicPartition, *, pending: bool) -> None:
        """Commit again what is committed, and abort what is not.

        Args:
            position: the input partition with the offset that the state was folded up to.
            pending: whether that offset hangs in the group, although the state with it is committed.

        Raises:
            Hanging: it cannot be ended, and an operator must.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while pending and not self._end(self.producer.settle, (), position) and time.monotonic() < deadline:
            self.wait(_BACK_OFF_SECONDS)
        while (left := self._lasting()).unfinished:
            if left.unfinished & left.finished or time.monotonic() > deadline:
                raise _unsettled(left)
            log.error("hanging_transaction", lane=self.lane, aborting=sorted(left.unfinished))
            self._end(self.producer.purge, left.unfinished, position)
            self.wait(_BACK_OFF_SECONDS)
        if left.finished:
            log.error("hanging_transaction", lane=self.lane, committing=sorted(left.finished))
            self._end(self.producer.settle, left.finished, position)

    def _lasting(self) -> Left:
        """What hangs; committed records count only when they hang for longer than others' transactions run."""
        patience = time.monotonic() + _OTHERS_SECONDS
        while True:
            left = self.left()
            if left.unfinished or not left.finished or time.monotonic() > patience:
                return left
            self.wait(_BACK_OFF_SECONDS)

    def _end(
        self,
        end: Callable[[Iterable[Place], list[TopicPartition], Any], None],
        places: Iterable[Place],
        position: TopicPartition,
    ) -> bool:
        try:
            end(sorted(places), [position], self.group())
        except Aborted as error:
            log.warning("settling_aborted", lane=self.lane, reason=str(error))
            self.producer.abort()
            return False
        return True


def _unsettled(left: Left) -> Hanging:
    both = left.unfinished & left.finished
    if both:
        return Hanging(
            f"records of a committed and of an unfinished transaction hang together on {_named(both)}: no end fits "
            "both. See which decisions would be missing with `snowshed replay --from-kafka`, then end the first with "
            "`kafka-transactions.sh abort`"
        )
    return Hanging(
        f"records of a transaction that never ended stay on {_named(left.unfinished)}: see that all brokers run, then "
        "end it with `kafka-transactions.sh abort`"
    )


def _named(places: Iterable[Place]) -> str:
    return ", ".join(f"{place.topic}[{place.partition}]" for place in sorted(places))
