"""Figures as words, for tables that a benchmark prints itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import median

import numpy as np

__all__ = ["counted", "spread"]


def spread(values: Iterable[float]) -> str:
    ordered = sorted(values)
    if not ordered:
        return "–"
    low, high = np.percentile(ordered, [5, 95])
    return f"{median(ordered):.1f} ({low:.1f}–{high:.1f})"


def counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "nothing"
