"""Asks Kafka how its own quorum stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from snowshed.producers.collectors.base import Clock, QuorumSeen, Reading
from snowshed.producers.collectors.kraft.answers import KRaftQuorum, from_kraft
from snowshed.producers.collectors.kraft.target import KRaftTarget
from snowshed.schemas.access import translate
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable

__all__ = ["SYSTEM", "KRaft", "Session", "kraft_collector"]

SYSTEM = "kraft"
"""The `system` of answers taken here."""

_PERIOD = 1.0
_PATIENCE = 2.0
"""Seconds; Kafka's default for `quorum.fetch.timeout.ms`. A voter that is well asks the leader twice a second."""
_MISSING = "watching Kafka's own quorum needs aiokafka: pip install 'snowshed[kraft]'"


class Session(Protocol):
    """Asks the servers of one cluster."""

    def ask(self) -> Sequence[KRaftQuorum]:
        """What the leader says, once for each server through which it answered.

        Raises:
            ConfigurationError: a person has to change something first.
        """
        ...

    def close(self) -> None:
        """Give up connections."""
        ...


class KRaft:
    """Reports all voters as the leader sees them; who the voters are is remembered while no leader answers.

    Args:
        session: asks the servers.
        dataset: the cluster's name in Snowshed.
        period: seconds between two rounds.
    """

    def __init__(self, session: Session, dataset: str, *, period: float = _PERIOD) -> None:
        self.name = f"kafka quorum {dataset}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._voters: tuple[str, ...] = ()

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Ask once; that no leader answers is a reading too.

        Raises:
            ServerUnavailable: no leader has ever answered, so nobody knows who votes.
            ConfigurationError: a person has to change something first.
        """
        asked_at = clock.wall()
        found = self._session.ask()
        # A leader that was cut off may not know it yet, and then the other side has one of a later epoch.
        newest = max(found, key=lambda quorum: quorum.epoch, default=None)
        reports = () if newest is None else tuple(from_kraft(newest, at=clock.wall(), patience=_PATIENCE))
        if newest is not None:
            self._voters = tuple(str(voter.node) for voter in newest.voters)
        elif not self._voters:
            raise ServerUnavailable(f"{self.name}: no server passes on an answer of its leader")
        return [
            QuorumSeen(
                dataset=self._dataset,
                system=SYSTEM,
                asked_at=asked_at,
                period=self.period,
                voters=self._voters,
                reports=reports,
            )
        ]

    def close(self) -> None:
        """Give up the connections."""
        self._session.close()


def kraft_collector(target: KRaftTarget, connection: KafkaConnection) -> KRaft:
    """The collector of one cluster.

    Args:
        target: the cluster.
        connection: whose properties say how securely it is reached.

    Raises:
        ConfigurationError: aiokafka is not installed or has no counterpart of a property, or a file cannot be read.
    """
    try:
        from snowshed.producers.collectors.kraft.session import QuorumSession  # noqa: PLC0415 - the extra `kraft`
    except ImportError:
        raise ConfigurationError(_MISSING) from None
    try:
        return KRaft(QuorumSession(translate(connection), target.servers), target.dataset)
    except OSError as error:
        raise ConfigurationError(
            f"kafka quorum {target.dataset}: a certificate or key cannot be used: {error}; "
            "see the ssl.* properties of the agent"
        ) from None
