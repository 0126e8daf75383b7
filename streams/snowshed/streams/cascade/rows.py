"""Windows of many edges as columns: what one record reported is judged at once, not edge by edge.

A window of one edge costs more to judge by itself than all arithmetic on it; a column of them costs next to nothing a
window. Comparisons with an unknown value (NaN) are false here as they are for single numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from math import nan

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.records import EdgeObservations
from snowshed.streams.cascade.making import maker
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.window import EdgeWindow

__all__ = ["Bools", "Floats", "Rows", "Singles", "columns", "cut_off", "of_record", "singly"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

Singles = tuple[list[EdgeWindow], list[Baseline]]
"""Rows one by one: their windows, and what is usual on the edge of each."""

_NUMBERS = EdgeWindow._fields[2:]
_USUAL = {"first_rate": "base_first_rate", "ok_ratio": "base_ok_ratio", "p90": "base_p90"}
"""Columns of the record by their names in a baseline."""
_window, _baseline = maker(EdgeWindow), maker(Baseline)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One row an edge."""

    window: Mapping[str, Floats]
    """By the names of `EdgeWindow`."""
    usual: Mapping[str, Floats]
    """By the names of `Baseline`; NaN while too little has been seen."""

    @property
    def admitted(self) -> Floats:
        """Attempts that no brake refused."""
        return self.window["attempts"] - self.window["rejected"]

    @property
    def ok_ratio(self) -> Floats:
        """As `EdgeWindow.ok_ratio`."""
        admitted = self.admitted
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(admitted > 0.0, self.window["ok"] / admitted, nan)

    def with_windows(self, places: Sequence[int], found: Sequence[EdgeWindow]) -> Rows:
        """The rows with other windows at some places."""
        if not places:
            return self
        window = {name: column.copy() for name, column in self.window.items()}
        for name, values in zip(_NUMBERS, list(zip(*found, strict=True))[2:], strict=True):
            window[name][list(places)] = values
        return Rows(window, self.usual)

    def part(self, run: slice) -> Rows:
        """Some of the rows."""
        return Rows(
            {name: column[run] for name, column in self.window.items()},
            {name: column[run] for name, column in self.usual.items()},
        )


def of_record(record: EdgeObservations) -> Rows:
    """The rows of an observation."""
    return Rows(
        {name: np.array(column) for name, column in zip(_NUMBERS, _columns(record), strict=True)},
        {name: np.array(getattr(record, column)) for name, column in _USUAL.items()},
    )


def singly(record: EdgeObservations) -> Singles:
    """The rows of an observation one by one."""
    strings = record.strings
    ends = [[strings[int(index)] for index in column] for column in (record.caller, record.callee)]
    usual = (getattr(record, column) for column in _USUAL.values())
    unweighted = repeat(0.0, len(record.span))  # a record does not tell how much was learned
    windows = list(map(_window, zip(*ends, *_columns(record), strict=True)))
    return windows, list(map(_baseline, zip(*usual, unweighted, strict=True)))


def cut_off(record: EdgeObservations) -> Mapping[int, tuple[tuple[str, float], ...]]:
    """The nodes of an edge's caller that are cut off from its callee, and the calls of each, by the row of the edge."""
    nodes: dict[int, tuple[tuple[str, float], ...]] = {}
    for row, node, calls in zip(record.cut_edge, record.cut_node, record.cut_calls, strict=True):
        nodes[int(row)] = (*nodes.get(int(row), ()), (record.strings[int(node)], calls))
    return nodes


def columns(windows: Sequence[EdgeWindow]) -> Mapping[str, Sequence[float]]:
    """The numbers of a few windows by name; for so few, arrays would not pay."""
    if not windows:
        return dict.fromkeys(_NUMBERS, ())
    return dict(zip(_NUMBERS, list(zip(*windows, strict=True))[2:], strict=True))


def _columns(record: EdgeObservations) -> list[tuple[float, ...]]:
    """The numbers of its windows by column; those that older records have not are unknown."""
    unknown = (nan,) * len(record.span)
    return [getattr(record, name) or unknown for name in _NUMBERS]
