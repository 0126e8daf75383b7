"""Nodes none of whose calls to a callee succeed, while those of their siblings do.

The counts of an edge are summed over its caller's nodes, so that one which is cut off hides among them. A node is mute
from its first report without a success to its next with one. It counts as cut off once chance does not explain a report
of it, while most calls of its siblings succeed::

    (1 − s)^n < 10⁻⁶      n: its calls,  s: share of its siblings' calls that succeeded, made since it is mute

Only its own reports decide, and only calls made since count: when all fail or recover at once, some report it sooner.

What mute nodes fail says nothing of the callee while most others reach it, so level 2 is told how many calls those are
from the first such report on: until a node has been found to be cut off, its callee would stand accused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from snowshed.schemas.records import Vantage
from snowshed.streams.edges.columns import NUMBERS, TimingColumns

__all__ = ["Heard", "Mute", "Unreached", "counted", "heeded", "node_reports", "unreached"]

_CHANCE = 1e-6
_SILENT = 3.0
"""Seconds without a report after which nothing is known of a node."""
_ATTEMPTS, _OK, _REJECTED = map(NUMBERS.index, ("attempts", "ok", "rejected"))


class Heard(NamedTuple):
    """One report of a node: what came of its calls to one callee."""

    caller: str
    node: str
    calls: float
    """Those that no brake refused."""
    ok: float
    window: float
    """Seconds that it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """A node without a success, and its siblings since then."""

    caller: str
    node: str
    since: float
    """When it first reported so."""
    last: float
    """When it last did."""
    calls: float = 0.0
    others: float = 0.0
    """Calls of its siblings, made since then."""
    others_ok: float = 0.0
    cut_off: bool = False
    open: float = 0.0
    """Its calls in the callee's open window."""


class Unreached(NamedTuple):
    """What mute nodes did in windows that are closed."""

    cut_off: Mapping[tuple[str, str, str], float]
    """Calls since the last success of nodes that are cut off, by callee, caller and node."""
    mute: Mapping[tuple[str, str], tuple[int, float]]
    """How many nodes of an edge are mute, cut off or not yet, and their calls in its window, by callee and caller."""


def node_reports(columns: TimingColumns, mute: AbstractSet[str]) -> dict[str, list[Heard]]:
    """By callee the reports of its callers' nodes, in log order; only for callees with a mute node, old or new.

    Args:
        columns: what came in.
        mute: callees of which mute nodes are remembered.
    """
    count, of_row = len(columns.callees), columns.message_of_row
    attempts = np.bincount(of_row, columns.values[_ATTEMPTS], count)
    calls = attempts - np.bincount(of_row, columns.values[_REJECTED], count)
    ok = np.bincount(of_row, columns.values[_OK], count)
    quiet = np.flatnonzero((ok == 0.0) & (calls > 0.0)).tolist()
    wanted = mute | {columns.callees[one] for one in quiet if columns.vantages[one] is Vantage.CALLER}
    found: dict[str, list[Heard]] = {}
    if not wanted:
        return found
    # A reporter calls under one name, that of its service.
    callers = columns.caller_of_row[np.searchsorted(of_row, np.arange(count)).clip(max=max(len(of_row) - 1, 0))]
    for one in np.flatnonzero(attempts > 0.0).tolist():
        if columns.callees[one] in wanted and columns.vantages[one] is Vantage.CALLER:
            caller = columns.callers[int(callers[one])]
            report = Heard(caller, columns.reporters[one], float(calls[one]), float(ok[one]), columns.windows[one])
            found.setdefault(columns.callees[one], []).append(report)
    return found


def heeded(mute: tuple[Mute, ...], reports: Iterable[Heard], now: float, enough: float) -> tuple[Mute, ...]:
    """The mute nodes of a callee's callers after more reports; the same object where nothing changed.

    Args:
        mute: those before.
        reports: what came in, in log order.
        now: the present time.
        enough: how many of a node's calls must have failed, and of its siblings' have succeeded, to call it cut off.
    """
    after = {(one.caller, one.node): one for one in mute}
    for report in reports:
        key = (report.caller, report.node)
        held = after.pop(key, None)
        for other, one in after.items():
            if one.caller == report.caller and now - report.window >= one.since:
                after[other] = replace(one, others=one.others + report.calls, others_ok=one.others_ok + report.ok)
        if report.ok == 0.0 and (held is not None or report.calls > 0.0):
            after[key] = _failed(held, report, now, enough)
    kept = tuple(after[key] for key in sorted(after) if now - after[key].last <= _SILENT)
    return mute if kept == mute else kept


def _failed(held: Mute | None, report: Heard, now: float, enough: float) -> Mute:
    """The node after one more report without a success."""
    if held is None:
        made = report.calls
        return Mute(caller=report.caller, node=report.node, since=now, last=now, calls=made, open=made)
    calls = held.calls + report.calls
    fit = report.calls > 0.0 and calls >= enough and held.others_ok >= max(enough, held.others / 2.0)
    cut_off = held.cut_off or (fit and (1.0 - held.others_ok / held.others) ** calls < _CHANCE)
    return replace(held, last=now, calls=calls, cut_off=cut_off, open=held.open + report.calls)


def unreached(mute: Mapping[str, tuple[Mute, ...]]) -> Unreached:
    """What is to be told of mute nodes, by callee, with the windows that close now."""
    cut_off: dict[tuple[str, str, str], float] = {}
    edges: dict[tuple[str, str], tuple[int, float]] = {}
    for callee, nodes in mute.items():
        for one in nodes:
            count, calls = edges.get((callee, one.caller), (0, 0.0))
            edges[callee, one.caller] = (count + 1, calls + one.open)
            if one.cut_off:
                cut_off[callee, one.caller, one.node] = one.calls
    return Unreached(cut_off, edges)


def counted(mute: tuple[Mute, ...]) -> tuple[Mute, ...]:
    """The mute nodes after the window with their calls was closed."""
    return tuple([replace(one, open=0.0) for one in mute])
