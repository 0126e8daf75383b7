"""What an edge is like when nothing is wrong, learned only then.

First rate, success ratio and p90 are exponentially weighted. A window with few calls teaches in proportion to them, one
far off the known value teaches no more than half or double of it, and an anomalous one teaches nothing: a baseline that
goes on learning through an outage ends by taking it for normal.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snowshed.streams.policy import EdgePolicy

__all__ = ["LEARNED", "Baseline", "learned", "usual"]

_Floats = NDArray[np.float64]
_Columns = Mapping[str, _Floats]


class Baseline(NamedTuple):
    """Learned normal values of one edge."""

    first_rate: float = nan
    ok_ratio: float = nan
    p90: float = nan
    weight: float = 0.0
    """Windows' worth of traffic learned, at most `learning_windows`."""


LEARNED = Baseline._fields
"""Names of a baseline's columns."""


def usual(baselines: _Columns, policy: EdgePolicy) -> _Columns:
    """The baselines, without values where too little has been seen."""
    believed = baselines["weight"] >= policy.learning_windows
    return {name: np.where(believed, values, nan) for name, values in baselines.items() if name != "weight"}


def learned(
    baselines: _Columns,
    *,
    first_rate: _Floats,
    ok_ratio: _Floats,
    p90: _Floats,
    attempts: _Floats,
    policy: EdgePolicy,
) -> _Columns:
    """The baselines after one more window of sound traffic each; no calls teach nothing."""
    share = np.minimum(attempts / policy.minimum_attempts, 1.0)
    total = baselines["weight"] + share
    believed = baselines["weight"] >= policy.learning_windows
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(believed, share * policy.learning_rate, share / total)
    found = {
        name: _moved(baselines[name], new, rate, believed)
        for name, new in (("first_rate", first_rate), ("ok_ratio", ok_ratio), ("p90", p90))
    }
    found["weight"] = np.minimum(total, float(policy.learning_windows))
    return {name: np.where(share > 0.0, found[name], baselines[name]) for name in LEARNED}


def _moved(old: _Floats, new: _Floats, rate: _Floats, believed: NDArray[np.bool_]) -> _Floats:
    bounded = np.where(believed, np.minimum(np.maximum(new, old / 2), old * 2), new)
    with np.errstate(invalid="ignore"):
        moved = old + rate * (bounded - old)
    return np.where(np.isnan(new), old, np.where(np.isnan(old), new, moved))
