"""What is remembered of the edges into one callee between windows, by column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from math import nan
from typing import Any

from snowshed.schemas.records import EdgeStatus

__all__ = ["NUMBERS", "STATUSES", "EdgeTable", "widened"]

STATUSES = (EdgeStatus.OK, EdgeStatus.OVERLOADED, EdgeStatus.AMPLIFIED, EdgeStatus.SILENT)
"""By the number that stands in a table; states hold these numbers, so that their order never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTable:
    """One entry a caller, in the order of their names."""

    caller: tuple[str, ...] = ()
    first_rate: tuple[float, ...] = ()
    """The baseline, as in `Baseline`."""
    ok_ratio: tuple[float, ...] = ()
    p90: tuple[float, ...] = ()
    weight: tuple[float, ...] = ()
    status: tuple[int, ...] = ()
    """Indexes into `STATUSES`."""
    since: tuple[float, ...] = ()
    """When that began."""
    reported: tuple[float, ...] = ()
    """Time of the last report to the health topic."""
    last_seen: tuple[float, ...] = ()
    """When the last window with calls closed."""

    def kept(self, places: Sequence[int]) -> EdgeTable:
        """Some of the edges."""
        return EdgeTable(**{name: tuple([getattr(self, name)[place] for place in places]) for name in _NAMES})


_NAMES = tuple(item.name for item in fields(EdgeTable))
NUMBERS = tuple(name for name in _NAMES if name != "caller")
"""Names of the columns of numbers."""


def widened(table: EdgeTable, callers: Iterable[str], now: float) -> EdgeTable:
    """The table with an entry for each of these callers."""
    new = sorted({*callers} - {*table.caller})
    if not new:
        return table
    blank: dict[str, Any] = {
        **dict.fromkeys(("first_rate", "ok_ratio", "p90"), nan),
        **dict.fromkeys(("weight", "reported"), 0.0),
        **dict.fromkeys(("since", "last_seen"), now),
        "status": 0,
    }
    longer = EdgeTable(
        caller=(*table.caller, *new),
        **{name: (*getattr(table, name), *([blank[name]] * len(new))) for name in NUMBERS},
    )
    return longer.kept(sorted(range(len(longer.caller)), key=longer.caller.__getitem__))
