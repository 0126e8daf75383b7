"""How much an edge has failed, and made wait, beyond the usual of late: what its trouble's cause is ranked by.

What is summed is forgotten slowly, so that causes rest on the whole trouble and not on its newest window: while a
service works off its backlog it rings louder than the one that began it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp2
from typing import NamedTuple

import numpy as np

from snowshed.streams.cascade.making import maker
from snowshed.streams.cascade.rows import Rows

__all__ = ["NOTHING", "Addition", "Dues", "additions", "summed"]

_HALF_LIFE = 30.0
"""Seconds: longer than it takes to notice trouble, shorter than the time between two."""
_CHANCE = 0.1
"""Share of the calls that may fail by chance where few are made."""


class Dues(NamedTuple):
    """Sums that halve within half a minute."""

    failed: float = 0.0
    """Calls that failed or were refused beyond the usual: to the caller, whose own calls then fail, it is the same."""
    lost: float = 0.0
    """How many of them on their way."""
    chance: float = 0.0
    """How many might have by chance."""
    waited: float = 0.0
    """Seconds of waiting beyond the usual, by the 90th percentile of the latency, whose usual value is known."""
    usual: float = 0.0
    """Seconds of the usual waiting."""


NOTHING = Dues()
_dues = maker(Dues)


Addition = tuple[float, float, float, float, float]
"""What a window adds: the share of the sums that is kept, then what comes to each but the lost calls."""


def additions(rows: Rows) -> Iterator[Addition]:
    """What each row adds to the sums of its edge."""
    admitted, window, usual = rows.admitted, rows.window, rows.usual
    expected = np.where(np.isnan(usual["ok_ratio"]), 0.0, admitted * (1.0 - usual["ok_ratio"]))
    known = ~(np.isnan(usual["p90"]) | np.isnan(window["p90"]))
    failed = window["attempts"] - window["ok"] - expected
    late = window["p90"] - usual["p90"]
    spans = window["span"].tolist()
    kept = {span: exp2(-span / _HALF_LIFE) for span in set(spans)}
    return zip(
        [kept[span] for span in spans],
        np.where(failed > 0.0, failed, 0.0).tolist(),
        (_CHANCE * admitted).tolist(),
        np.where(known, admitted * np.where(late > 0.0, late, 0.0), 0.0).tolist(),
        np.where(known, admitted * usual["p90"], 0.0).tolist(),
        strict=True,
    )


def summed(held: Dues, more: Addition, *, lost: bool) -> Dues:
    """The sums with one more window, whose calls may have been lost on their way."""
    kept, failed, chance, waited, usual = more
    has_failed, has_lost, has_chance, has_waited, had_usual = held
    return _dues(
        (
            kept * has_failed + failed,
            kept * has_lost + (failed if lost else 0.0),
            kept * has_chance + chance,
            kept * has_waited + waited,
            kept * had_usual + usual,
        )
    )
