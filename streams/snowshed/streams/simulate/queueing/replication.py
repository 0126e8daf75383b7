"""What the node beside a replicated dataset reports: rows written at the source, and the newest row at each replica."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from snowshed.schemas.records import Marker, ReplicaRole
from snowshed.streams.simulate.events import Event
from snowshed.streams.simulate.queueing.draws import generator, uniforms
from snowshed.streams.simulate.queueing.fleet import Dataset
from snowshed.streams.simulate.queueing.troubles import Stall, Trouble

__all__ = ["Replication"]

_SOURCE = "source"
_PERIOD = 0.5
"""Seconds between two rows, and between two looks at a replica."""
_BYTES_A_SECOND = 65_536.0
_BOOTED = 100_000.0
_ROUND_TRIP = 0.004


class Replication:
    """One dataset under replication.

    Args:
        dataset: what it is.
        troubles: all of the simulation's.
        seed: of the simulation.
        start: time of the first moment, seconds since the Unix epoch.
    """

    def __init__(self, dataset: Dataset, troubles: Sequence[Trouble], seed: int, start: float) -> None:
        self._dataset, self._start, self._node = dataset, start, f"{dataset.service}-1"
        self._chance = uniforms(generator(seed, "replication", dataset.name))
        self._written: list[float] = []
        self._applied = dict.fromkeys(dataset.replicas, 0.0)
        """Writes up to this moment have been applied, by replica."""
        self._stalls = [each for each in troubles if isinstance(each, Stall) and each.dataset == dataset.name]

    def during(self, second: int) -> Iterator[Event]:
        """What is reported in a second."""
        for at in (second + 0.05, second + 0.05 + _PERIOD):
            self._written.append(at)
            yield self._marker(at, _SOURCE, len(self._written) - 1, at)
            for replica in self._dataset.replicas:
                self._applied[replica] = self._apply(replica, at)
                row = bisect_right(self._written, self._applied[replica]) - 1
                if row >= 0:
                    yield self._marker(at, replica, row, self._applied[replica])

    def _apply(self, replica: str, now: float) -> float:
        factor = next((each.factor for each in self._stalls if each.replica == replica and _acts(each, now)), None)
        pace = self._dataset.catch_up if factor is None else factor
        newest = now - self._dataset.delay * (0.5 + next(self._chance))
        # A replica that keeps up is held back by nothing but the delay.
        return max(self._applied[replica], min(newest, self._applied[replica] + pace * _PERIOD))

    def _marker(self, at: float, server: str, row: int, applied: float) -> Event:
        source = server == _SOURCE
        moment = self._start + at
        marker = Marker(
            dataset=self._dataset.name,
            replica=server,
            role=ReplicaRole.SOURCE if source else ReplicaRole.REPLICA,
            system="postgresql",
            node=self._node,
            writer=self._node,
            version=float(row),
            written_at=self._start + self._written[row],
            seen_at=moment,
            sent_at=moment,
            monotonic=_BOOTED + at,
            round_trip=_ROUND_TRIP,
            row_period=_PERIOD,
            poll_period=_PERIOD,
            position=(applied + 1.0) * _BYTES_A_SECOND,
            source_position=(at + 1.0) * _BYTES_A_SECOND,
        )
        return Event(moment, "markers", self._dataset.name, marker)


def _acts(stall: Stall, now: float) -> bool:
    return stall.start <= now < stall.start + stall.seconds
