"""Which rows of timing batches are about a statement: next to nothing to do where none is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snowshed.streams.edges.layout import COLUMNS, Layout

__all__ = ["Names", "Table", "named_statements", "table_of"]

Names = tuple[tuple[str, str], ...]
"""Fingerprints and their operations."""

_STATEMENT = COLUMNS.index("statement")
_OPERATION = COLUMNS.index("operation")

_Ints = NDArray[np.int64]


class Table(NamedTuple):
    """A batch's strings, and where the empty one stands: the rows without a fingerprint all point there."""

    strings: tuple[str, ...]
    empty: int
    """-1 if there is none."""


def table_of(strings: tuple[str, ...]) -> Table:
    """The table of these strings."""
    return Table(strings, strings.index("") if "" in strings else -1)


def named_statements(
    column: NDArray[np.float64], layouts: Sequence[Layout], tables: Sequence[Table]
) -> tuple[Names, _Ints]:
    """The statements of all batches, and the index of each row's, -1 in batches without any.

    Args:
        column: the column `statement` of all batches end to end.
        layouts: the batches.
        tables: each batch's strings.
    """
    rows = np.array([layout.values.shape[1] for layout in layouts], np.int64)
    none = np.array([table.empty for table in tables], np.float64)
    filled = column != np.repeat(none, rows)
    if not filled.any():
        return (), np.empty(0, np.int64)
    numbers: dict[str, int] = {}
    operations: list[str] = []
    of_row = np.full(len(column), -1, np.int64)
    end = 0
    for layout, table, count in zip(layouts, tables, rows.tolist(), strict=True):
        start, end = end, end + count
        if filled[start:end].any():
            of_row[start:end] = _numbered(layout, table.strings, numbers, operations)
    return tuple(zip(numbers, operations, strict=True)), of_row


def _numbered(layout: Layout, table: tuple[str, ...], numbers: dict[str, int], operations: list[str]) -> _Ints:
    indexes, first, inverse = np.unique(layout.values[_STATEMENT], return_index=True, return_inverse=True)
    found: list[int] = []
    for index, row in zip(indexes.tolist(), first.tolist(), strict=True):
        name = _text(table, index)
        if name not in numbers:
            numbers[name] = len(numbers)
            operations.append(_text(table, layout.values[_OPERATION, row]) if name else "")
        found.append(numbers[name])
    return np.array(found, np.int64)[inverse]


def _text(table: tuple[str, ...], index: float) -> str:
    """The string, or the empty one where the index points outside the table."""
    return table[int(index)] if index < len(table) else ""
