"""The transactional core of one worker: a consumer, its lanes, one restorer; started and stopped as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.folding import Fold
from snowshed.streams.transactions.context import LaneContext, LaneLimits
from snowshed.streams.transactions.events import LaneWatcher
from snowshed.streams.transactions.judge import Judge
from snowshed.streams.transactions.lane import Lane
from snowshed.streams.transactions.producer import LaneProducer, NewProducer
from snowshed.streams.transactions.protocol import GroupSettings
from snowshed.streams.transactions.restore import Restorer
from snowshed.streams.transactions.source import Source

__all__ = ["Core"]

log = structlog.get_logger()


def _unheard(_member_id: str) -> None:
    """Nobody asks who we are in the group."""


class Core:
    """Consumes the inputs of `folds` exactly once.

    Args:
        connection: where the broker is.
        topics: full topic names.
        codec: encodes outputs.
        group: consumer group, which is also the prefix of the transactional ids, and its protocol.
        folds: the folds by agent name; each agent's input is in `snowshed.schemas.topics.AGENTS`.
        judge: runs the folds.
        watcher: is told what the lanes do.
        limits: bounds on each lane.
        fatal: called with the reason when this process must leave; must not return control to lanes for long.
        joined: told this worker's member id whenever it changes; empty once it has left the group.
        new_producer: makes the producer of each lane; any but the default is exactly once no more.
    """

    def __init__(
        self,
        *,
        connection: KafkaConnection,
        topics: Topics,
        codec: Codec,
        group: GroupSettings,
        folds: Mapping[str, Fold[Any, Any]],
        judge: Judge,
        watcher: LaneWatcher,
        limits: LaneLimits,
        fatal: Callable[[str], None],
        joined: Callable[[str], None] = _unheard,
        new_producer: NewProducer = LaneProducer,
    ) -> None:
        self._folds = {topics.full(AGENTS[name]): fold for name, fold in folds.items()}
        self._fatal, self._stopping = fatal, False
        self._restorer = Restorer(connection, group.group, sorted(self._folds))
        self._source = Source(connection, group, sorted(self._folds), self._new_lane, joined=joined, fatal=self._leave)
        self._context = LaneContext(
            connection=connection,
            topics=topics,
            codec=codec,
            app=group.group,
            restorer=self._restorer,
            judge=judge,
            watcher=watcher,
            limits=limits,
            group=self._source.group,
            fatal=self._leave,
            new_producer=new_producer,
        )
        self._group = group

    def start(self) -> None:
        """Join the group and begin."""
        log.info(
            "core_starting",
            group=self._group.group,
            protocol=self._group.protocol,
            takeover_seconds=self._group.session,
        )
        self._restorer.start()
        self._source.start()

    def stop(self) -> None:
        """Finish running transactions, leave the group, end all threads; takes seconds even without a broker.

        A transaction that a dead broker does not answer is left as it is: end the process, start no other core in it.
        """
        self._stopping = True
        self._source.stop()
        self._restorer.stop()

    @property
    def lanes(self) -> list[Lane]:
        """The lanes of the partitions this worker holds now."""
        return list(self._source.lanes.values())

    @property
    def ready(self) -> bool:
        """Whether this worker is in its group, has been given its partitions, and all their lanes are open."""
        return self._source.settled() and all(lane.opened for lane in self.lanes)

    @property
    def returns(self) -> int:
        """How often Kafka's client has come back from a call of the consumer's."""
        return self._source.returns

    def _leave(self, reason: str) -> None:
        if self._stopping:
            log.warning("stopped_without_an_answer", reason=reason)
        else:
            self._fatal(reason)

    def _new_lane(self, topic: str, partition: int) -> Lane:
        return Lane(self._context, self._folds[topic], topic, partition)
