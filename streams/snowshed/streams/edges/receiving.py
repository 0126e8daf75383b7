"""What came in, put where it belongs: into windows that stay open, or to those that close now."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple

from snowshed.streams.edges.columns import TimingColumns
from snowshed.streams.edges.groups import Groups, joined, regrouped
from snowshed.streams.edges.state import CalleeState, opened
from snowshed.streams.edges.tally import Tally
from snowshed.streams.policy import EdgePolicy

__all__ = ["Due", "received"]


class Due(NamedTuple):
    """The windows that close now."""

    callees: list[str]
    """In the order of their names."""
    groups: Groups
    """All that came in for them."""


def received(
    state: Mapping[str, CalleeState], columns: TimingColumns, groups: Groups, now: float, policy: EdgePolicy
) -> tuple[dict[str, CalleeState], Due]:
    """The callees with what came in for windows that stay open, and the windows that are due.

    What comes in for an empty window that is due at once goes there by column; it is put into no state.
    """
    current = dict(state)
    urgent = {callee for callee, flag in zip(columns.callees, columns.urgent, strict=True) if flag}
    direct: list[int] = []
    waiting: list[int] = []
    for callee, found in groupby(range(len(groups)), key=groups.callee.__getitem__):
        known = current.get(callee)
        at_once = (
            known is not None and not known.open and _is_over(known, known.urgent or callee in urgent, now, policy)
        )
        (direct if at_once else waiting).extend(found)
    for callee, tallies in _by_callee(groups, waiting).items():
        known = current.get(callee) or CalleeState(callee=callee, window_start=now)
        current[callee] = opened(known, tallies, urgent=callee in urgent)
    full = [value for value in current.values() if value.open and _is_over(value, value.urgent, now, policy)]
    full.sort(key=_name)
    held = regrouped((value.callee, tally) for value in full for tally in value.open)
    due = joined(groups if not waiting else groups.taken(direct), held)
    return current, Due(list(dict.fromkeys(due.callee)), due)


def _by_callee(groups: Groups, chosen: list[int]) -> dict[str, list[Tally]]:
    found: dict[str, list[Tally]] = {}
    some = groups.taken(chosen)
    for callee, tally in zip(some.callee, some.tallies(), strict=True):
        found.setdefault(callee, []).append(tally)
    return found


def _is_over(value: CalleeState, urgent: bool, now: float, policy: EdgePolicy) -> bool:
    return now >= value.window_start + (policy.urgent_window if urgent else policy.window)


def _name(value: CalleeState) -> str:
    return value.callee
