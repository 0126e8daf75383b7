"""What a window does to a streak of windows in which something was bad."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snowshed.streams.cascade.rows import Bools
from snowshed.streams.cascade.views import Streak

__all__ = ["BAD", "CLEAR", "KEPT", "UNSURE", "Marks", "extended", "marked"]

KEPT, CLEAR, UNSURE, BAD = range(4)
"""Marks of a window: it says nothing; it is clear; it is neither clear nor bad, which keeps a streak from ending; or it
is bad. Those up to `CLEAR` leave a streak without windows as it is."""

Marks = NDArray[np.int64]
"""One a row."""


def marked(*, bad: Bools, clear: Bools, kept: Bools | None = None) -> Marks:
    """The marks of rows; what is kept is neither bad nor clear."""
    marks = np.where(bad, BAD, np.where(clear, CLEAR, UNSURE))
    return marks if kept is None else np.where(kept, KEPT, marks)


def extended(streak: Streak, mark: int, span: float, now: float) -> Streak:
    """The streak after one more window of `span` seconds."""
    if mark == BAD:
        return Streak(streak.windows + 1, streak.covered + span, now)
    if mark == UNSURE:
        return Streak(streak.windows, streak.covered, now if streak.last else 0.0)
    if mark == CLEAR and streak.windows:
        return Streak(last=streak.last)
    return streak
