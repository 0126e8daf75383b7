"""What level 1 tells of edges: their windows to level 2, their health to people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import nan

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.records import EdgeHealth, EdgeObservations, EdgeStatus
from snowshed.streams.edges.judging import Judged
from snowshed.streams.edges.losses import Loss
from snowshed.streams.edges.mute import Unreached
from snowshed.streams.edges.table import STATUSES
from snowshed.streams.edges.windows import COLUMNS, Windows
from snowshed.streams.folding import Batch, Emission

__all__ = ["fell_silent", "health", "observations"]

_RULES = {status: f"edge-{status.value}/1" for status in EdgeStatus}
_RULES_BY_CODE = [_RULES[status] for status in STATUSES]
_REFRESH = "edge-refresh/1"
_SHOWN = ("span", "first", "attempts", "error_local", "error_downstream", "rejected", "timeout", "p50", "p90", "p99")


def observations(
    domain: str,
    windows: Windows,
    usual: Mapping[str, NDArray[np.float64]],
    chosen: Sequence[int],
    *,
    missing: Sequence[tuple[str, Loss]],
    mute: Unreached,
    batch: Batch[object],
) -> EdgeObservations:
    """Some of the windows with what was usual before them.

    Args:
        domain: of all of them.
        windows: what was closed.
        usual: what was usual, by the name of its column.
        chosen: indexes of the windows.
        missing: what was lost of reports on their callees.
        mute: nodes none of whose calls succeed.
        batch: with whose end they were closed.
    """
    places = np.asarray(chosen, np.int64)
    edges = [(windows.caller[window], windows.callee[window]) for window in chosen]
    rows = {edge: row for row, edge in enumerate(edges)} if mute.mute else {}
    nodes = [
        (float(rows[caller, callee]), node, calls)
        for (callee, caller, node), calls in mute.cut_off.items()
        if (caller, callee) in rows
    ]
    unheeded = _unheeded(windows, places, rows, mute)
    names = [*chain.from_iterable(edges), *chain.from_iterable((callee, loss.reporter) for callee, loss in missing)]
    names += [node for _, node, _ in nodes]
    index = {name: float(place) for place, name in enumerate(dict.fromkeys(names))}
    columns = {name: tuple(windows.values[name][places].tolist()) for name in COLUMNS}
    return EdgeObservations(
        domain=domain,
        partition=batch.partition,
        observed_at=batch.now,
        detector_lag=batch.detector_lag,
        strings=tuple(index),
        caller=tuple([index[caller] for caller, _ in edges]),
        callee=tuple([index[callee] for _, callee in edges]),
        base_first_rate=tuple(usual["first_rate"][places].tolist()),
        base_ok_ratio=tuple(usual["ok_ratio"][places].tolist()),
        base_p90=tuple(usual["p90"][places].tolist()),
        lost_callee=tuple([index[callee] for callee, _ in missing]),
        lost_reporter=tuple([index[loss.reporter] for _, loss in missing]),
        lost_by_caller=tuple([float(loss.by_caller) for _, loss in missing]),
        lost_reports=tuple([loss.reports for _, loss in missing]),
        lost_calls=tuple([loss.calls for _, loss in missing]),
        lost_of=tuple([loss.of for _, loss in missing]),
        cut_edge=tuple([row for row, _, _ in nodes]),
        cut_node=tuple([index[node] for _, node, _ in nodes]),
        cut_calls=tuple([calls for _, _, calls in nodes]),
        mute_edge=tuple([float(row) for row, _ in unheeded]),
        mute_calls=tuple([calls for _, calls in unheeded]),
        **columns,
    )


def _unheeded(
    windows: Windows, places: NDArray[np.int64], rows: Mapping[tuple[str, str], int], mute: Unreached
) -> list[tuple[int, float]]:
    """Rows with mute nodes, no more than half of those that reported, and how many calls they made in the window."""
    found: list[tuple[int, float]] = []
    for (callee, caller), (nodes, calls) in mute.mute.items():
        row = rows.get((caller, callee))
        if row is None or not calls:
            continue
        reporters, ok = (windows.values[name][places[row]] for name in ("reporters", "ok"))
        if ok > 0.0 and 2.0 * nodes <= reporters:
            found.append((row, calls))
    return found


def health(windows: Windows, found: Judged, domains: Mapping[str, str], now: float) -> Iterator[tuple[str, Emission]]:
    """Reports of the edges that are to be told of, with their callees."""
    told = np.flatnonzero(found.told)
    status: list[int] = found.edges["status"][told].astype(np.int64).tolist()
    since: list[float] = found.edges["since"][told].tolist()
    fresh: list[bool] = found.changed[told].tolist()
    columns: list[list[float]] = [column.tolist() for column in _shown(windows, told)]
    for window, code, began, new, (rate, errors, rejected, amplification, p50, p90, p99) in zip(
        told.tolist(), status, since, fresh, zip(*columns, strict=True), strict=True
    ):
        callee = windows.callee[window]
        record = EdgeHealth(
            domain=domains[callee],
            caller=windows.caller[window],
            callee=callee,
            status=STATUSES[code],
            since=began,
            observed_at=now,
            rate=rate,
            error_ratio=errors,
            rejected_ratio=rejected,
            amplification=amplification,
            p50=p50,
            p90=p90,
            p99=p99,
        )
        yield callee, _emission(record, _RULES_BY_CODE[code] if new else _REFRESH)


def _shown(windows: Windows, told: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """Rate and error, rejected and amplification ratios, then quantiles; without calls there is only a rate."""
    span, first, attempts, local, downstream, rejected, timeout, *quantiles = (
        windows.values[name][told] for name in _SHOWN
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = [(local + downstream + timeout) / attempts, rejected / attempts, attempts / np.maximum(first, 1.0)]
    called = attempts != 0.0
    return [attempts / span, *(np.where(called, column, nan) for column in (*ratios, *quantiles))]


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
