"""Reports how far a consumer group is behind, as markers of one dataset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from snowshed.producers.collectors.base import Clock, GroupSeen, PartitionBehind, Reading, RowSeen, RowWritten
from snowshed.producers.collectors.kafka_groups.look import GroupLook, furthest_behind
from snowshed.producers.collectors.kafka_groups.rounds import Rounds
from snowshed.producers.collectors.kafka_groups.session import GroupSession

__all__ = ["SYSTEM", "ConsumerGroup"]

SYSTEM = "kafka"
"""The `system` of markers taken here."""

_WORST = 8
"""Partitions reported one by one: a group is judged by its worst, and what level 1 remembers stays small."""


class ConsumerGroup:
    """Looks at a group every `period` seconds; the dataset's source is the log, its replica is the group.

    Args:
        session: asks the cluster.
        dataset: names the markers.
        group: the consumer group.
        topics: what it is to have read.
        writer: the node whose clock stamps the looks.
        period: seconds between two looks.
    """

    def __init__(
        self, session: GroupSession, *, dataset: str, group: str, topics: Sequence[str], writer: str, period: float
    ) -> None:
        self.name = f"kafka group {group} of {dataset}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._group = group
        self._topics = tuple(topics)
        self._writer = writer
        self._rounds = Rounds(period)

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Look once.

        Raises:
            ServerUnavailable: the cluster does not answer.
            ConfigurationError: a topic is not there, or the agent's user may not ask.
        """
        look = self._session.look(self._group, self._topics, clock)
        new = self._rounds.add(look)
        shown = self._rounds.shown(look)
        return [
            # Some record in these ends may have come just before the answer, so the row is no older than that; a group
            # that has them all has, for certain, what there was when they were asked for.
            RowWritten(
                dataset=self._dataset,
                source="log",
                system=SYSTEM,
                version=new.version,
                written_at=new.answered,
                row_period=self.period,
            ),
            RowSeen(
                dataset=self._dataset,
                replica=self._group,
                system=SYSTEM,
                version=shown.version,
                writer=self._writer,
                written_at=shown.asked,
                seen_at=look.asked,
                row_period=self.period,
                poll_period=self.period,
            ),
            _progress(self._dataset, look, self.period),
        ]

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()


def _progress(dataset: str, look: GroupLook, period: float) -> GroupSeen:
    return GroupSeen(
        dataset=dataset,
        group=look.group,
        asked=look.ends_asked,
        answered=look.answered,
        period=period,
        partitions=len(look.partitions),
        lag=sum(part.lag for part in look.partitions),
        worst=tuple(
            PartitionBehind(
                place=f"{part.topic}/{part.partition}", committed=part.committed, end=part.end, owned=part.owned
            )
            for part in furthest_behind(look, _WORST)
        ),
    )
