"""Windows that are due, closed for all callees of a step at once."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from itertools import chain, groupby, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snowshed.streams.edges.groups import Groups
from snowshed.streams.edges.judging import Judged, judged
from snowshed.streams.edges.table import NUMBERS, EdgeTable, widened
from snowshed.streams.edges.windows import Windows, closed
from snowshed.streams.policy import EdgePolicy

__all__ = ["Closed", "close"]


class Closed(NamedTuple):
    """What came of it."""

    windows: Windows
    found: Judged
    tables: dict[str, EdgeTable]
    """By callee."""


def close(
    groups: Groups, tables: Mapping[str, EdgeTable], lossy: Container[str], now: float, policy: EdgePolicy
) -> Closed:
    """Close the windows of some callees.

    Args:
        groups: all that came in for them.
        tables: what is remembered of their edges.
        lossy: those of which something was missing of late.
        now: the present time.
        policy: the thresholds.
    """
    windows = closed(groups)
    callers = {callee: [caller for _, caller in found] for callee, found in _by_callee(windows)}
    wide = {callee: _wide(tables[callee], names, now) for callee, names in callers.items()}
    columns = {name: _column(list(wide.values()), name) for name in NUMBERS}
    places = _places(callers, wide)
    whole = np.array([callee not in lossy for callee in windows.callee], np.bool_)
    found = judged({name: values[places] for name, values in columns.items()}, windows, whole, now, policy)
    for name, values in columns.items():
        values[places] = found.edges[name]
    return Closed(windows, found, dict(zip(wide, _tables(list(wide.values()), columns), strict=True)))


def _by_callee(windows: Windows) -> groupby[str, tuple[str, str]]:
    return groupby(zip(windows.callee, windows.caller, strict=True), key=_callee)


def _callee(edge: tuple[str, str]) -> str:
    return edge[0]


def _wide(table: EdgeTable, callers: Sequence[str], now: float) -> EdgeTable:
    return table if [*table.caller] == callers else widened(table, callers, now)


def _column(tables: Sequence[EdgeTable], name: str) -> NDArray[np.float64]:
    return np.array(list(chain.from_iterable([getattr(table, name) for table in tables])), np.float64)


def _places(callers: Mapping[str, Sequence[str]], tables: Mapping[str, EdgeTable]) -> NDArray[np.int64]:
    """Where the edge of each window stands in all tables end to end."""
    places: list[int] = []
    before = 0
    for callee, names in callers.items():
        known = tables[callee].caller
        if len(known) == len(names):
            places += range(before, before + len(known))
        else:
            index = {name: place for place, name in enumerate(known, before)}
            places += [index[name] for name in names]
        before += len(known)
    return np.array(places, np.int64)


def _tables(tables: Sequence[EdgeTable], columns: Mapping[str, NDArray[np.float64]]) -> list[EdgeTable]:
    """The tables with other numbers."""
    ends = np.cumsum([0, *(len(table.caller) for table in tables)]).tolist()
    numbers = [
        tuple(values.astype(np.int64).tolist()) if name == "status" else tuple(values.tolist())
        for name, values in columns.items()
    ]
    first_rates, ok_ratios, p90s, weights, statuses, sinces, reporteds, last_seens = numbers
    return [
        EdgeTable(
            caller=table.caller,
            first_rate=first_rates[start:end],
            ok_ratio=ok_ratios[start:end],
            p90=p90s[start:end],
            weight=weights[start:end],
            status=statuses[start:end],
            since=sinces[start:end],
            reported=reporteds[start:end],
            last_seen=last_seens[start:end],
        )
        for table, (start, end) in zip(tables, pairwise(ends), strict=True)
    ]
