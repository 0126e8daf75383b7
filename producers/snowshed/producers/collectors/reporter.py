"""Turns readings into records, stamped when they leave."""

from __future__ import annotations

import time
from math import nan

from snowshed.producers.collectors.base import CallTimings, GroupSeen, QuorumSeen, Reading, RowSeen, RowWritten
from snowshed.producers.collectors.timings import timing_batch
from snowshed.producers.markers import MarkerReporter
from snowshed.producers.node import Node
from snowshed.producers.transport import Outlet
from snowshed.schemas.records import GroupProgress, QuorumAnswers

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
            case GroupSeen():
                self._group_seen(reading)
            case QuorumSeen():
                self._quorum_seen(reading)

    def _row_written(self, row: RowWritten) -> None:
        self._markers.written(
            row.dataset,
            row.source,
            version=row.version,
            written_at=row.written_at,
            row_period=row.row_period,
            took=row.took,
            position=row.position,
            unit=row.unit,
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
            unit=row.unit,
            system=row.system,
        )

    def _call_timings(self, timings: CallTimings) -> None:
        lost = float(self._transport.stats().lost)
        batch = timing_batch(
            timings, reporter=self._node.name, service=self._node.service, sent_at=time.time(), lost=lost
        )
        self._transport.send("timings", timings.callee, batch)

    def _group_seen(self, seen: GroupSeen) -> None:
        record = GroupProgress(
            dataset=seen.dataset,
            group=seen.group,
            node=self._node.name,
            asked=seen.asked,
            answered=seen.answered,
            period=seen.period,
            sent_at=time.time(),
            partitions=float(seen.partitions),
            lag=float(seen.lag),
            place=tuple(part.place for part in seen.worst),
            committed=tuple(-1.0 if part.committed is None else float(part.committed) for part in seen.worst),
            end=tuple(float(part.end) for part in seen.worst),
            owned=tuple(float(part.owned) for part in seen.worst),
        )
        self._transport.send("markers", seen.dataset, record)

    def _quorum_seen(self, seen: QuorumSeen) -> None:
        record = QuorumAnswers(
            dataset=seen.dataset,
            system=seen.system,
            node=self._node.name,
            asked_at=seen.asked_at,
            period=seen.period,
            sent_at=time.time(),
            voters=seen.voters,
            member=tuple(report.member for report in seen.reports),
            role=tuple(report.role.value for report in seen.reports),
            in_sync=tuple(_number(report.in_sync) for report in seen.reports),
            pending=tuple(_number(report.pending) for report in seen.reports),
            term=tuple(_number(report.term) for report in seen.reports),
            behind=tuple(_number(report.behind) for report in seen.reports),
            unheard=tuple(_number(report.unheard) for report in seen.reports),
        )
        self._transport.send("markers", seen.dataset, record)


def _number(count: float | None) -> float:
    return nan if count is None else float(count)
