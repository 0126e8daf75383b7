"""What level 1 tells of edges: their windows to level 2, their health to people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.records import EdgeHealth, EdgeObservations, EdgeStatus
from snowshed.streams.edges.judging import Judged
from snowshed.streams.edges.losses import Loss
from snowshed.streams.edges.table import STATUSES
from snowshed.streams.edges.windows import COLUMNS, Windows
from snowshed.streams.folding import Batch, Emission

__all__ = ["fell_silent", "health", "observations"]

_RULES = {status: f"edge-{status.value}/1" for status in EdgeStatus}
_REFRESH = "edge-refresh/1"
_SHOWN = ("span", "first", "attempts", "error_local", "error_downstream", "rejected", "timeout", "p50", "p90", "p99")


def observations(
    domain: str,
    windows: Windows,
    usual: Mapping[str, NDArray[np.float64]],
    chosen: Sequence[int],
    *,
    missing: Sequence[tuple[str, Loss]],
    batch: Batch[object],
) -> EdgeObservations:
    """Some of the windows with what was usual before them, and what is missing of their callees."""
    edges = [(windows.caller[window], windows.callee[window]) for window in chosen]
    index: dict[str, float] = {}
    for edge in edges:
        for name in edge:
            index.setdefault(name, float(len(index)))
    for callee, loss in missing:
        index.setdefault(callee, float(len(index)))
        index.setdefault(loss.reporter, float(len(index)))
    columns = {name: tuple(windows.values[name][chosen].tolist()) for name in COLUMNS}
    return EdgeObservations(
        domain=domain,
        partition=batch.partition,
        observed_at=batch.now,
        detector_lag=batch.detector_lag,
        strings=tuple(index),
        caller=tuple([index[caller] for caller, _ in edges]),
        callee=tuple([index[callee] for _, callee in edges]),
        base_first_rate=tuple(usual["first_rate"][chosen].tolist()),
        base_ok_ratio=tuple(usual["ok_ratio"][chosen].tolist()),
        base_p90=tuple(usual["p90"][chosen].tolist()),
        lost_callee=tuple([index[callee] for callee, _ in missing]),
        lost_reporter=tuple([index[loss.reporter] for _, loss in missing]),
        lost_by_caller=tuple([float(loss.by_caller) for _, loss in missing]),
        lost_reports=tuple([loss.reports for _, loss in missing]),
        lost_calls=tuple([loss.calls for _, loss in missing]),
        lost_of=tuple([loss.of for _, loss in missing]),
        **columns,
    )


def health(windows: Windows, found: Judged, domains: Mapping[str, str], now: float) -> Iterator[tuple[str, Emission]]:
    """Reports of the edges that are to be told of, with their callees."""
    told = np.flatnonzero(found.told)
    values = zip(*(windows.values[name][told].tolist() for name in _SHOWN), strict=True)
    state = zip(*(found.edges[name][told].tolist() for name in ("status", "since")), strict=True)
    changed = found.changed[told].tolist()
    for window, numbers, (code, since), fresh in zip(told.tolist(), values, state, changed, strict=True):
        callee, status = windows.callee[window], STATUSES[int(code)]
        span, first, attempts, local, downstream, rejected, timeout, p50, p90, p99 = numbers
        record = EdgeHealth(
            domain=domains[callee],
            caller=windows.caller[window],
            callee=callee,
            status=status,
            since=since,
            observed_at=now,
            rate=attempts / span,
            error_ratio=(local + downstream + timeout) / attempts if attempts else nan,
            rejected_ratio=rejected / attempts if attempts else nan,
            amplification=attempts / max(first, 1.0) if attempts else nan,
            p50=p50 if attempts else nan,
            p90=p90 if attempts else nan,
            p99=p99 if attempts else nan,
        )
        yield callee, _emission(record, _RULES[status] if fresh else _REFRESH)


def fell_silent(caller: str, callee: str, domain: str, now: float) -> Emission:
    """The report of an edge on which nobody calls any more."""
    record = EdgeHealth(
        domain=domain,
        caller=caller,
        callee=callee,
        status=EdgeStatus.SILENT,
        since=now,
        observed_at=now,
        rate=0.0,
        error_ratio=nan,
        rejected_ratio=nan,
        amplification=nan,
        p50=nan,
        p90=nan,
        p99=nan,
    )
    return _emission(record, _RULES[EdgeStatus.SILENT])


def _emission(record: EdgeHealth, rule: str) -> Emission:
    return Emission("health", f"{record.caller}>{record.callee}", record, rule)
