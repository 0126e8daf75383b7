"""One more window of many edges into what is remembered of each.

All that rests on the windows alone is worked out by column; what is left for each edge is to put its past and its new
window together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from math import isnan
from typing import NamedTuple

import numpy as np

from snowshed.streams.cascade import signals
from snowshed.streams.cascade.dues import Addition, additions, summed
from snowshed.streams.cascade.gathering import full, gathered
from snowshed.streams.cascade.harm import piling
from snowshed.streams.cascade.making import maker
from snowshed.streams.cascade.observations import Place
from snowshed.streams.cascade.paths import is_on_the_way
from snowshed.streams.cascade.rows import Rows, Singles
from snowshed.streams.cascade.rules import gray_failure, partition, retry_amplification
from snowshed.streams.cascade.streaks import CLEAR, KEPT, extended
from snowshed.streams.cascade.views import EdgeView, Sample
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.policy import Policy

__all__ = ["Reported", "watched"]

_sample, _edge = maker(Sample), maker(EdgeView)


class Reported(NamedTuple):
    """What the windows of one observation have in common."""

    domain: str
    at: float
    place: Place


_Marks = tuple[bool, int, int, int, bool, float, int, int]
"""What the columns tell of one row: whether it is judged and begins no streak; the marks for its streaks of amplified
and of cut windows; the latter by all that was gathered, where the window alone has too few calls to mean anything;
whether it is judged now, and then its excess and the marks for its streaks of overloaded and of failing windows."""

_Row = tuple[EdgeWindow, Baseline, EdgeView | None, tuple[Sample, ...], EdgeWindow, _Marks, Addition]
"""All that makes one edge: its window, what is usual, what is remembered of it, its samples, its window with those
before it that were too thin to be judged alone, what the columns tell, and what comes to its sums."""


def watched(
    reported: Reported,
    rows: Rows,
    singles: Singles,
    held: Sequence[EdgeView | None],
    policy: Policy,
) -> list[EdgeView]:
    """The edges after one more window each; none may be there twice.

    Args:
        reported: what the windows have in common.
        rows: the windows as columns.
        singles: the same one by one.
        held: what was remembered of the edge of each.
        policy: the thresholds.
    """
    windows, usual = singles
    oldest = reported.at - policy.retry.carry
    new = map(_sample, zip(repeat(reported.at), rows.window["first"].tolist(), rows.window["attempts"].tolist()))
    samples = [
        (sample,) if one is None else (*[known for known in one.samples if known[0] > oldest], sample)
        for one, sample in zip(held, new, strict=True)
    ]
    gatherings = [
        window if one is None or one.gathering is None else gathered(one.gathering, window)
        for one, window in zip(held, windows, strict=True)
    ]
    several = [row for row, one in enumerate(gatherings) if one is not windows[row]]
    judged = rows.with_windows(several, [gatherings[row] for row in several])
    marks = _marks(rows, judged, samples, several, policy)
    columns = zip(windows, usual, held, samples, gatherings, marks, additions(rows), strict=True)
    growth = policy.overload.growth
    return [_gone_on(reported, row, growth) or _watched(reported, row, policy) for row in columns]


def _marks(
    rows: Rows, judged: Rows, samples: Sequence[tuple[Sample, ...]], several: Sequence[int], policy: Policy
) -> Iterator[_Marks]:
    """The marks of each row, where `judged` are the rows with what was gathered in `several` of them."""
    excess = signals.excess(judged, policy.overload)
    meaningless = np.zeros(len(samples), np.bool_)
    meaningless[several] = True
    meaningless &= ~partition.expected(rows, policy.health)
    amplified, cut = retry_amplification.marks(rows, samples, policy), partition.marks(rows, policy.health)
    also_cut = np.where(meaningless, partition.marks(judged, policy.health), KEPT)
    overloaded, failing = signals.marks(judged, excess, policy.overload), gray_failure.marks(judged, policy.health)
    now = full(judged, policy.overload)
    worst = np.maximum.reduce((amplified, cut, also_cut, overloaded, failing))
    columns = (now & (worst <= CLEAR), amplified, cut, also_cut, now, excess, overloaded, failing)
    return zip(*(column.tolist() for column in columns), strict=True)


def _gone_on(reported: Reported, row: _Row, growth: float) -> EdgeView | None:
    """As `_watched`, for what is most often so: no streak begins, goes on or ends; None where it is not so."""
    window, baseline, held, samples, _, (calm, _, _, _, _, excess, _, _), addition = row
    if held is None or not calm:
        return None
    # All fields at once, for to take each by its name costs as much as all that is done with them.
    _, _, last, _, _, _, amplified, overloaded, failing, cut, heard, piling, _, dues, gathering, several, _ = held
    before = last if several is None else several
    if (
        gathering is not None
        or amplified[0]
        or overloaded[0]
        or failing[0]
        or cut[0]
        or piling[0]
        or window.queue_delay_mean - before.queue_delay_mean > growth * window.span
    ):
        return None
    domain, now, place = reported
    heard = heard if isnan(window.completions) else now
    dues = summed(dues, addition, lost=False)
    streaks = (amplified, overloaded, failing, cut)
    # The fields in their order.
    return _edge((domain, now, window, baseline, place, samples, *streaks, heard, piling, excess, dues, None, None, ()))


def _watched(reported: Reported, row: _Row, policy: Policy) -> EdgeView:
    domain, now, place = reported
    window, baseline, held, samples, gathering, marks, addition = row
    _, amplified, cut, also_cut, judged, excess, overloaded, failing = marks
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
