"""Reports replication markers: a row written at a source, and the newest such row seen at a replica."""

from __future__ import annotations

import time
from math import nan

from snowshed.producers.node import Node
from snowshed.producers.transport import Outlet
from snowshed.schemas.forking import survive_fork
from snowshed.schemas.records import Marker, PositionUnit, ReplicaRole

__all__ = ["MarkerReporter"]


class MarkerReporter:
    """Sends markers, all of a dataset to one partition.

    Every marker also carries this node's clocks and produce round trip, from which readers bound the difference
    between the writer's and the reader's clock.

    Args:
        node: who reports, and whose clock stamps `seen_at`.
        transport: where markers go.
        system: the kind of server, such as `postgresql`.
    """

    def __init__(self, node: Node, transport: Outlet, *, system: str = "") -> None:
        self._node = node
        self._transport = transport
        self._system = system
        survive_fork(self)

    def written(
        self,
        dataset: str,
        source: str,
        *,
        version: float,
        written_at: float,
        row_period: float,
        took: float = 0.0,
        position: float = nan,
        unit: PositionUnit = PositionUnit.BYTES,
        system: str | None = None,
    ) -> None:
        """A row was written at the source by this node.

        Args:
            dataset: what is replicated.
            source: the server written to.
            version: number of the row, rising by one a write.
            written_at: the time in the row, by this node's clock.
            row_period: seconds between rows.
            took: seconds from `written_at` until the row was known to be committed.
            position: how far the source's log has come.
            unit: what the position counts.
            system: the kind of server, if other than the reporter's own.
        """
        self._send(
            dataset=dataset,
            server=source,
            role=ReplicaRole.SOURCE,
            writer=self._node.name,
            version=version,
            written_at=written_at,
            seen_at=written_at + took,
            row_period=row_period,
            poll_period=row_period,
            position=position,
            source_position=position,
            unit=unit,
            system=system,
        )

    def seen(
        self,
        dataset: str,
        replica: str,
        *,
        version: float,
        writer: str,
        written_at: float,
        seen_at: float,
        poll_period: float,
        row_period: float,
        position: float = nan,
        source_position: float = nan,
        unit: PositionUnit = PositionUnit.BYTES,
        system: str | None = None,
    ) -> None:
        """This row was the newest at the replica.

        Args:
            dataset: what is replicated.
            replica: the server read from.
            version: number of the row.
            writer: the node that wrote it.
            written_at: the time in the row, by the writer's clock.
            seen_at: when the replica's answer arrived, by this node's clock.
            poll_period: seconds between reads.
            row_period: seconds between rows.
            position: how much of the log the replica has applied.
            source_position: how far the source's log has come, as far as known.
            unit: what the positions count.
            system: the kind of server, if other than the reporter's own.
        """
        self._send(
            dataset=dataset,
            server=replica,
            role=ReplicaRole.REPLICA,
            writer=writer,
            version=version,
            written_at=written_at,
            seen_at=seen_at,
            row_period=row_period,
            poll_period=poll_period,
            position=position,
            source_position=source_position,
            unit=unit,
            system=system,
        )

    def after_fork(self) -> None:
        """Report under the child's own name."""
        self._node = self._node.in_child()

    def _send(
        self,
        *,
        dataset: str,
        server: str,
        role: ReplicaRole,
        writer: str,
        version: float,
        written_at: float,
        seen_at: float,
        row_period: float,
        poll_period: float,
        position: float,
        source_position: float,
        unit: PositionUnit,
        system: str | None,
    ) -> None:
        stats = self._transport.stats()
        marker = Marker(
            dataset=dataset,
            replica=server,
            role=role,
            system=self._system if system is None else system,
            node=self._node.name,
            writer=writer,
            version=version,
            written_at=written_at,
            seen_at=seen_at,
            sent_at=time.time(),
            monotonic=time.monotonic(),
            round_trip=stats.round_trip,
            row_period=row_period,
            poll_period=poll_period,
            position=position,
            source_position=source_position,
            unit=unit,
            lost=float(stats.lost),
        )
        self._transport.send("markers", dataset, marker)
