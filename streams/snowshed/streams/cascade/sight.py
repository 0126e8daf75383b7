"""How much of what is reported on a callee is missing, and whether so much that what it lacks proves nothing.

Calls that nobody reported look like calls that nobody made and work that was not done. So a callee of which more than
`DecisionPolicy.lost_share` of the calls is missing over `lost_over` seconds is partly blind: no rule concludes anything
from what it lacks, and nothing on it is tightened. It sees again below half of that share. The two ends of a callee's
calls report them apart, and the one that lacks more counts. An observation that a late level 1 made is left out, and
misses as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from snowshed.schemas.records import EdgeObservations
from snowshed.streams.cascade.observations import Place
from snowshed.streams.policy import DecisionPolicy

__all__ = ["Gap", "Missing", "Sight", "aged", "late", "left_out", "lost", "missed"]

_NAMED = 20
"""Reporters that are remembered by name, those that lost most."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What was found missing in one window."""

    at: float
    by_callers: float
    """Seconds' worth of the calls that all callers report."""
    by_callee: float
    """The same of what the callee reports itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A callee of which something is missing."""

    callee: str
    domain: str
    place: Place
    """Of the newest observation that told of it."""
    gaps: tuple[Gap, ...]
    """Of the last `lost_over` seconds."""
    reporters: tuple[tuple[str, float], ...]
    """Who lost how many reports since this began, most first."""
    began: float
    """When the first of it was found."""
    share: float = 0.0
    """Of its calls, over the last `lost_over` seconds."""
    blind_since: float = 0.0
    """Since when too much is missing; 0 while it is not."""

    @property
    def key(self) -> str:
        """State key."""
        return f"sight/{self.callee}"


class Missing(NamedTuple):
    """What one observation lacks of one callee."""

    callee: str
    gap: Gap
    reporters: tuple[tuple[str, float], ...]


def lost(record: EdgeObservations) -> Iterator[Missing]:
    """What level 1 found missing, by callee."""
    strings, rows = record.strings, dict[str, list[tuple[str, bool, float, float]]]()
    for callee, reporter, by_caller, reports, calls, of in zip(
        record.lost_callee,
        record.lost_reporter,
        record.lost_by_caller,
        record.lost_reports,
        record.lost_calls,
        record.lost_of,
        strict=True,
    ):
        row = (strings[int(reporter)], by_caller > 0.0, reports, calls / of)
        rows.setdefault(strings[int(callee)], []).append(row)
    for name, found in rows.items():
        seconds = [sum((row[3] for row in found if row[1] is by_caller), 0.0) for by_caller in (True, False)]
        counts: dict[str, float] = {}
        for reporter, _, reports, _ in found:
            counts[reporter] = counts.get(reporter, 0.0) + reports
        yield Missing(name, Gap(record.observed_at, *seconds), tuple(counts.items()))


def late(record: EdgeObservations, policy: DecisionPolicy) -> bool:
    """Whether level 1 was so late that the moment of its observation has passed."""
    return record.detector_lag > policy.detector_lag


def left_out(record: EdgeObservations) -> Iterator[Missing]:
    """What is missing because an observation is not used: all of its callees, for as long as it is about."""
    spans: dict[str, float] = {}
    for callee, span in zip(record.callee, record.span, strict=True):
        name = record.strings[int(callee)]
        spans[name] = max(span, spans.get(name, 0.0))
    for name, span in spans.items():
        yield Missing(name, Gap(record.observed_at, span, span), ((f"timings-{record.partition}, late", 1.0),))


def missed(held: Sight | None, new: Missing, domain: str, place: Place, policy: DecisionPolicy) -> Sight:
    """The sight of a callee of which more is missing."""
    at = new.gap.at
    held = held or Sight(callee=new.callee, domain=domain, place=place, gaps=(), reporters=(), began=at)
    counts = dict(held.reporters)
    for name, reports in new.reporters:
        counts[name] = counts.get(name, 0.0) + reports
    most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:_NAMED]
    return _judged(
        replace(held, domain=domain, place=place, gaps=(*held.gaps, new.gap), reporters=tuple(most)), at, policy
    )


def aged(sights: Mapping[str, Sight], now: float, policy: DecisionPolicy) -> dict[str, Sight]:
    """What is left of the sights some time later: nothing of one of which nothing of late is missing."""
    found = {callee: _aged(sight, now, policy) for callee, sight in sights.items()}
    return {callee: sight for callee, sight in found.items() if sight is not None}


def _aged(held: Sight, now: float, policy: DecisionPolicy) -> Sight | None:
    if now < held.gaps[0].at + policy.lost_over:
        return held
    kept = tuple(gap for gap in held.gaps if now < gap.at + policy.lost_over)
    return _judged(replace(held, gaps=kept), now, policy) if kept else None


def _judged(sight: Sight, now: float, policy: DecisionPolicy) -> Sight:
    seconds = max(sum(gap.by_callers for gap in sight.gaps), sum(gap.by_callee for gap in sight.gaps))
    share = min(seconds / policy.lost_over, 1.0)
    limit = policy.lost_share / 2.0 if sight.blind_since else policy.lost_share
    return replace(sight, share=share, blind_since=(sight.blind_since or now) if share > limit else 0.0)
