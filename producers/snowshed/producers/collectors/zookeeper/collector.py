"""Asks every member of a ZooKeeper ensemble how it stands."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

from snowshed.producers.collectors.base import Clock, QuorumSeen, Reading
from snowshed.producers.collectors.servers import checked_name, distinct_places, named_places
from snowshed.producers.collectors.zookeeper.answers import from_mntr
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.members import MemberReport

__all__ = ["SYSTEM", "ZooKeeper", "ZooKeeperTarget"]

SYSTEM = "zookeeper"
"""The `system` of answers taken here."""

_TIMEOUT = 2.0
_PERIOD = 1.0


@dataclass(frozen=True, slots=True)
class ZooKeeperTarget:
    """An ensemble to watch.

    Args:
        dataset: its name in Snowshed.
        members: every voting server, as `host:port` of its client port.

    Raises:
        ConfigurationError: a name or an address has another form, or a server stands twice.
    """

    dataset: str
    members: tuple[str, ...]

    def __post_init__(self) -> None:
        checked_name(self.dataset)
        if not distinct_places(self.members):
            raise ConfigurationError(
                f"ensemble {self.dataset}: name each voting server once as host:port, as in zk=z1:2181,z2:2181,z3:2181"
            )

    @classmethod
    def parse(cls, text: str) -> ZooKeeperTarget:
        """The ensemble in `dataset=host:port,host:port,…`."""
        return cls(*named_places(text))


class ZooKeeper:
    """Sends `mntr` to all members at once; who does not answer in time is left out.

    Args:
        target: the ensemble.
        period: seconds between two rounds.
    """

    def __init__(self, target: ZooKeeperTarget, *, period: float = _PERIOD) -> None:
        self.name = f"zookeeper ensemble {target.dataset}"
        self.period = period
        self._target = target

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Ask every member once; that none answers is a reading too.

        Raises:
            ConfigurationError: a member does not allow the command.
        """
        asked_at, members = clock.wall(), self._target.members
        with ThreadPoolExecutor(len(members)) as threads:
            reports = list(threads.map(_report, members, repeat(clock)))
        return [
            QuorumSeen(
                dataset=self._target.dataset,
                system=SYSTEM,
                asked_at=asked_at,
                period=self.period,
                voters=members,
                reports=tuple(report for report in reports if report is not None),
            )
        ]

    def close(self) -> None:
        """Nothing stays open between rounds."""


def _report(member: str, clock: Clock) -> MemberReport | None:
    try:
        text = _asked(member)
    except OSError:
        return None
    try:
        return from_mntr(member, text, clock.wall())
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def _asked(member: str) -> str:
    host, _, port = member.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), _TIMEOUT) as connection:
        connection.sendall(b"mntr")
        # A server that closes without a word, as one that starts does, answers the empty text, which has no role.
        with connection.makefile(encoding="utf-8", errors="replace") as answer:
            return answer.read()
