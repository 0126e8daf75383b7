"""Closed windows of edges as columns: the two vantages put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import nan

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.sketch import BUCKETS, value_of
from snowshed.streams.edges.groups import Groups
from snowshed.streams.edges.window import EdgeWindow

__all__ = ["COLUMNS", "Windows", "closed"]

COLUMNS = EdgeWindow._fields[2:]
"""Names of a window's numbers."""
_COUNTED = ("first", "attempts", "ok", "error_local", "error_downstream", "rejected", "timeout")
_ATTEMPTS, _OK, _DELAYS = 1, 2, 7
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_SECONDS = np.array([value_of(bucket) for bucket in range(BUCKETS)])

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """One entry an edge, by callee and caller."""

    callee: list[str]
    caller: list[str]
    values: Mapping[str, _Floats]
    """By name, those of `EdgeWindow`."""

    @property
    def amplification(self) -> _Floats:
        """As `EdgeWindow.amplification`."""
        return self.values["attempts"] / np.maximum(self.values["first"], 1.0)

    @property
    def ok_ratio(self) -> _Floats:
        """As `EdgeWindow.ok_ratio`."""
        admitted = self.values["attempts"] - self.values["rejected"]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(admitted > 0.0, self.values["ok"] / admitted, nan)


def closed(groups: Groups) -> Windows:
    """The windows of edges that at least one end reported.

    Counts and latency are the caller's where it reports, because only it sees calls that never arrived; the queue delay
    is the callee's, which alone knows its queue.
    """
    seen, queue, callee = _ends(groups)
    reporters = np.array([len(names) for names in groups.reporters], np.float64)
    span = groups.covered[seen] / reporters[seen]
    delayed = groups.sums[_ATTEMPTS, queue]
    with np.errstate(divide="ignore", invalid="ignore"):
        # The ends do not cover quite the same time, and the counts of a window are over the span of the first.
        done = groups.sums[_OK, callee] * span * reporters[callee] / groups.covered[callee]
        delay = np.where(delayed != 0.0, groups.sums[_DELAYS, queue] / delayed, nan)
    values = {
        "span": span,
        "reporters": reporters[seen],
        **{name: groups.sums[row, seen] for row, name in enumerate(_COUNTED)},
        "in_flight_max": groups.peaks[0, seen],
        "queue_delay_mean": delay,
        "queue_delay_max": groups.peaks[1, queue],
        **_quantiles(groups, seen),
        "completions": np.where(callee < 0, nan, done),
        "cache_hits": groups.hits[seen],
    }
    return Windows(
        [groups.callee[group] for group in seen.tolist()], [groups.caller[group] for group in seen.tolist()], values
    )


def _ends(groups: Groups) -> tuple[_Ints, _Ints, _Ints]:
    """By window, the groups of the end that counts, of the end that knows the queue, and of the callee or -1."""
    edges = list(zip(groups.callee, groups.caller, strict=True))
    opens = np.array([True, *(one != other for one, other in pairwise(edges))], np.bool_)[: len(edges)]
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(edges)) - 1
    callee = np.where(groups.by_caller[first], -1, first)
    queue = np.where(callee < 0, last, callee)
    attempts = groups.sums[_ATTEMPTS]
    # What the caller reports stands last.
    return np.where((attempts[last] == 0.0) & (attempts[queue] != 0.0), queue, last), queue, callee


def _quantiles(groups: Groups, seen: _Ints) -> dict[str, _Floats]:
    """Latency in seconds that these shares of calls lie at or below, to the sketch's error; NaN without calls."""
    lengths = groups.lengths[seen]
    starts = (np.cumsum(groups.lengths) - groups.lengths)[seen]
    width = np.arange(max(int(lengths.max(initial=0)), 1))
    inside = width < lengths.reshape(-1, 1)
    places: _Ints = starts.reshape(-1, 1) + width
    places[~inside] = 0
    counts = groups.counts if len(groups.counts) else np.zeros(1)
    passed = np.cumsum(np.where(inside, counts[places], 0.0), axis=1)
    found: dict[str, _Floats] = {}
    for name, share in _QUANTILES.items():
        rank = share * (passed[:, -1] - 1.0)
        beyond = passed > rank[:, None]
        bucket = np.where(passed[:, -1] > rank, np.argmax(beyond, axis=1), lengths - 1)
        known = (rank >= 0.0) & (lengths > 0)
        chosen = groups.buckets[np.where(known, starts + bucket, 0)] if len(groups.buckets) else np.zeros_like(seen)
        found[name] = np.where(known, _SECONDS[chosen], nan)
    return found
