"""Turns readings into records, stamped when they leave."""

from __future__ import annotations

import time

from snowshed.producers.collectors.base import CallTimings, Reading, RowSeen, RowWritten
from snowshed.producers.collectors.timings import timing_batch
from snowshed.producers.markers import MarkerReporter
from snowshed.producers.node import Node
from snowshed.producers.transport import Outlet

__all__ = ["Reporter"]


class Reporter:
    """Sends what collectors read; may be called from any thread.

    Args:
        node: who reports.
        transport: where records go.
    """

    def __init__(self, node: Node, transport: Outlet) -> None:
        self._node = node
        self._transport = transport
        self._markers = MarkerReporter(node, transport)

    def report(self, reading: Reading) -> None:
        """Send one reading."""
        match reading:
            case RowWritten():
                self._row_written(reading)
            case RowSeen():
                self._row_seen(reading)
            case CallTimings():
                self._call_timings(reading)

    def _row_written(self, row: RowWritten) -> None:
        self._markers.written(
            row.dataset,
            row.source,
            version=row.version,
            written_at=row.written_at,
            row_period=row.row_period,
            position=row.position,
            system=row.system,
        )

    def _row_seen(self, row: RowSeen) -> None:
        self._markers.seen(
            row.dataset,
            row.replica,
            version=row.version,
            writer=row.writer,
            written_at=row.written_at,
            seen_at=row.seen_at,
            poll_period=row.poll_period,
            row_period=row.row_period,
            position=row.position,
            source_position=row.source_position,
            system=row.system,
        )

    def _call_timings(self, timings: CallTimings) -> None:
        lost = float(self._transport.stats().lost)
        batch = timing_batch(
            timings, reporter=self._node.name, service=self._node.service, sent_at=time.time(), lost=lost
        )
        self._transport.send("timings", timings.callee, batch)
