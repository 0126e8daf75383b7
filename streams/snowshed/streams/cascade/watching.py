"""One more window of many edges into what is remembered of each.

All that rests on the windows alone is worked out by column; what is left for each edge is to put its past and its new
window together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from typing import NamedTuple

import numpy as np

from snowshed.streams.cascade import signals
from snowshed.streams.cascade.dues import Addition, additions, summed
from snowshed.streams.cascade.gathering import full, gathered
from snowshed.streams.cascade.harm import piling
from snowshed.streams.cascade.observations import Place
from snowshed.streams.cascade.paths import is_on_the_way
from snowshed.streams.cascade.rows import Report, Rows
from snowshed.streams.cascade.rules import gray_failure, partition, retry_amplification
from snowshed.streams.cascade.streaks import KEPT, extended
from snowshed.streams.cascade.views import EdgeView, Sample
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.policy import Policy

__all__ = ["Reported", "watched"]


class Reported(NamedTuple):
    """What the windows of one observation have in common."""

    domain: str
    at: float
    place: Place


_Marks = tuple[int, int, int, bool, float, int, int]
"""What the columns tell of one row: the marks for its streaks of amplified and of cut windows; the latter by all that
was gathered, where the window alone has too few calls to mean anything; whether it is judged now, and then its excess
and the marks for its streaks of overloaded and of failing windows."""

_Row = tuple[Report, EdgeView | None, tuple[Sample, ...], EdgeWindow, _Marks, Addition]
"""All that makes one edge: its window, what is remembered of it, its samples, its window with those before it that were
too thin to be judged alone, what the columns tell, and what comes to its sums."""


def watched(
    reported: Reported,
    rows: Rows,
    reports: Sequence[Report],
    held: Sequence[EdgeView | None],
    policy: Policy,
) -> list[EdgeView]:
    """The edges after one more window each; none may be there twice.

    Args:
        reported: what the windows have in common.
        rows: the windows as columns.
        reports: the same one by one.
        held: what was remembered of the edge of each.
        policy: the thresholds.
    """
    oldest = reported.at - policy.retry.carry
    samples = [_sampled(one, window, reported.at, oldest) for one, (window, _) in zip(held, reports, strict=True)]
    gatherings = [
        window if one is None or one.gathering is None else gathered(one.gathering, window)
        for one, (window, _) in zip(held, reports, strict=True)
    ]
    several = [row for row, one in enumerate(gatherings) if one is not reports[row][0]]
    judged = rows.with_windows(several, [gatherings[row] for row in several])
    marks = _marks(rows, judged, samples, several, policy)
    columns = zip(reports, held, samples, gatherings, marks, additions(rows), strict=True)
    return [_watched(reported, row, policy) for row in columns]


def _sampled(held: EdgeView | None, window: EdgeWindow, now: float, oldest: float) -> tuple[Sample, ...]:
    new = Sample(now, window.first, window.attempts)
    return (new,) if held is None else (*[sample for sample in held.samples if sample.at > oldest], new)


def _marks(
    rows: Rows, judged: Rows, samples: Sequence[tuple[Sample, ...]], several: Sequence[int], policy: Policy
) -> Iterator[_Marks]:
    """The marks of each row, where `judged` are the rows with what was gathered in `several` of them."""
    excess = signals.excess(judged, policy.overload)
    meaningless = np.zeros(len(samples), np.bool_)
    meaningless[several] = True
    meaningless &= ~partition.expected(rows, policy.health)
    columns = (
        retry_amplification.marks(rows, samples, policy),
        partition.marks(rows, policy.health),
        np.where(meaningless, partition.marks(judged, policy.health), KEPT),
        full(judged, policy.overload),
        excess,
        signals.marks(judged, excess, policy.overload),
        gray_failure.marks(judged, policy.health),
    )
    return zip(*(column.tolist() for column in columns), strict=True)


def _watched(reported: Reported, row: _Row, policy: Policy) -> EdgeView:
    domain, now, place = reported
    (window, baseline), held, samples, gathering, marks, addition = row
    amplified, cut, also_cut, judged, excess, overloaded, failing = marks
    before = None if held is None else held.judged
    if held is None:
        held = EdgeView(domain, now, window, baseline, place)
    span, joined = window.span, gathering.span
    cuts = extended(held.cut, cut, span, now)
    heard = held.heard if isnan(window.completions) else now
    lost = cuts.windows > 1 and is_on_the_way(
        EdgeView(domain, now, window, baseline, place, cut=cuts, heard=heard), policy.overload
    )
    # By position: names would cost a third of what is done for an edge.
    return EdgeView(
        domain,
        now,
        window,
        baseline,
        place,
        samples,
        extended(held.amplified, amplified, span, now),
        extended(held.overloaded, overloaded, joined, now) if judged else held.overloaded,
        extended(held.failing, failing, joined, now) if judged else held.failing,
        extended(cuts, also_cut, joined, now) if judged else cuts,
        heard,
        piling(held.piling, before, gathering, now=now, policy=policy.overload) if judged else held.piling,
        excess if judged else held.excess,
        summed(held.dues, addition, lost=lost),
        None if judged else gathering,
        (None if gathering is window else gathering) if judged else held.gathered,
    )
