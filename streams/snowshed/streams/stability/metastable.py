"""Metastable states: the trigger has gone, the service goes on failing, and something it does itself keeps it there.

The clock starts when the trigger ends. A surge ends when demand is back to the usual. A loss of capacity never shows in
demand: it ends when the throughput is back, completions that come too late included, for then the service does as much
work as its requests need and merely does the wrong work. While throughput stays below the usual without a surge, the
capacity is lost and nothing is metastable; after a surge, the service has degraded itself.

A failing service whose backlog shrinks, or whose goodput rises, is on its way back and is left alone.
"""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan

from snowshed.streams.policy import MetastablePolicy
from snowshed.streams.stability.change import trend
from snowshed.streams.stability.course import CALM, STABLE, Course, Effect, Judgement, Phase, Point, Verdict
from snowshed.streams.stability.measured import Measured, Usual

__all__ = ["judge", "shown", "sustaining"]


def judge(held: Course, window: Measured, usual: Usual, policy: MetastablePolicy) -> tuple[Course, Judgement]:
    """The course after one more window, and the verdict.

    Args:
        held: the course so far.
        window: what was measured.
        usual: what is usual, frozen while anything is wrong.
        policy: the thresholds.
    """
    if not usual.first > 0.0:
        return CALM, STABLE
    phase = shown(window, usual, held.surged, policy, declared=bool(held.declared))
    if phase is Phase.SOUND and not held.since:
        return held, STABLE
    course = _continued(held, phase, window, policy)
    if course.phase is Phase.SOUND and window.at - course.since >= policy.clean:
        return CALM, STABLE
    verdict = _verdict(course, phase, window, policy)
    if verdict is Verdict.METASTABLE:
        effect = _degraded(course) or sustaining(window, usual, policy) or course.effect
        course = replace(course, declared=course.declared or window.at, effect=effect)
    return course, _judgement(verdict, course, window, usual, policy)


def shown(window: Measured, usual: Usual, surged: bool, policy: MetastablePolicy, *, declared: bool = False) -> Phase:
    """What a window shows by itself.

    Args:
        window: what was measured.
        usual: what is usual.
        surged: whether a surge of demand belongs to the trouble.
        policy: the thresholds.
        declared: whether it has been found metastable: then refused calls count, for it ends when all are answered;
            before that a refusal is no failure, it is what a brake does about one.
    """
    expected = usual.requests * window.span
    tolerance = window.tolerance(usual.requests, usual, policy)
    if window.demand > expected * (1.0 + tolerance):
        return Phase.SURGE
    if window.good >= policy.goodput * (window.wanted if declared else window.admitted):
        return Phase.SOUND
    failed = max(window.attempts - window.ok, 1.0)
    if window.demand < expected * (1.0 - tolerance) or window.errors > failed / 2.0:
        return Phase.OTHER
    if isnan(window.completions) or isnan(usual.completions):
        # Only a surge shows its end without the throughput.
        return Phase.STUCK if surged and sustaining(window, usual, policy) else Phase.OTHER
    least = usual.completions * (1.0 - window.tolerance(usual.completions, usual, policy))
    if window.completions < least * window.span:
        return Phase.SHORT
    return Phase.STUCK if sustaining(window, usual, policy) else Phase.OTHER


def sustaining(window: Measured, usual: Usual, policy: MetastablePolicy) -> Effect | None:
    """What feeds the trouble: a cold cache before the retries that it causes, and those before the work they waste."""
    if _is_cold(window, usual, policy):
        return Effect.COLD_CACHE
    if window.amplification >= policy.amplification:
        return Effect.RETRIES
    return Effect.WASTED_WORK if window.wasted >= policy.wasted else None


def _is_cold(window: Measured, usual: Usual, policy: MetastablePolicy) -> bool:
    """By the cache's own hits where they are counted, else by calls per request."""
    if not isnan(window.hit_ratio) and not isnan(usual.hit_ratio):
        return window.hit_ratio < usual.hit_ratio - policy.cold_deviations * usual.hit_deviation
    tolerance = window.tolerance(usual.first, usual, policy)
    return window.cold(usual) >= max(policy.cold, 1.0 + tolerance)


def _continued(held: Course, phase: Phase, window: Measured, policy: MetastablePolicy) -> Course:
    began = window.at - window.span
    surged = held.surged or (phase is Phase.SURGE and Phase.SURGE in {held.phase, held.other})
    timeout = max(held.timeout, window.p99) if window.timeout > window.attempts / 2.0 else held.timeout
    held = replace(held, surged=surged, timeout=timeout)
    if phase is held.phase:
        return replace(held, other=phase, other_since=0.0, points=_recent(held, window, policy))
    if held.other is Phase.SOUND and phase is not Phase.SOUND and held.phase is Phase.SOUND and not held.since:
        return replace(held, phase=phase, since=began, other=phase, points=_recent(CALM, window, policy))
    if held.other is not phase:
        return replace(held, other=phase, other_since=began, points=_recent(held, window, policy))
    points = (*held.points[-1:], *_recent(CALM, window, policy))
    return replace(held, phase=phase, since=held.other_since, other_since=0.0, points=points)


def _recent(held: Course, window: Measured, policy: MetastablePolicy) -> tuple[Point, ...]:
    point = Point(
        window.at,
        window.good / window.span,
        window.wanted / window.span,
        window.piled,
        window.attempts - window.rejected - window.errors,
    )
    kept = [one for one in held.points if one.at > window.at - _hold(held, policy)]
    return (*kept, point)


def _hold(course: Course, policy: MetastablePolicy) -> float:
    return max(policy.hold, policy.timeouts * course.timeout)


def _verdict(course: Course, phase: Phase, window: Measured, policy: MetastablePolicy) -> Verdict:
    if course.declared:
        return Verdict.METASTABLE
    lasted = window.at - course.since
    hold = _hold(course, policy)
    degraded = course.phase is Phase.SHORT and course.surged
    if course.phase is Phase.SHORT and not degraded:
        return Verdict.CAPACITY_LOSS if lasted >= hold else Verdict.TRIGGERED
    if course.phase is not Phase.STUCK and not degraded:
        return Verdict.RECOVERING if course.phase is Phase.SOUND else Verdict.TRIGGERED
    if _improves(course.points, hold, policy):
        return Verdict.RECOVERING
    if lasted >= hold and phase is course.phase:
        return Verdict.METASTABLE
    return Verdict.PROVISIONAL if lasted >= hold / 2.0 else Verdict.TRIGGERED


def _improves(points: tuple[Point, ...], hold: float, policy: MetastablePolicy) -> bool:
    """Whether the backlog shrinks or the goodput rises, over the newer half of the time that counts."""
    newer = [point for point in points if point.at > points[-1].at - hold / 2.0]
    admitted = sum(point.admitted for point in newer)
    if sum(point.piled for point in newer) < -policy.drain * admitted:
        return True
    slope = trend([point.at for point in points], [point.good for point in points])
    return slope * hold > policy.rise * points[-1].wanted


def _degraded(course: Course) -> Effect | None:
    return Effect.CAPACITY_LOSS if course.phase is Phase.SHORT else None


def _judgement(verdict: Verdict, course: Course, window: Measured, usual: Usual, policy: MetastablePolicy) -> Judgement:
    effect = course.effect or sustaining(window, usual, policy)
    return Judgement(
        verdict=verdict,
        since=course.since,
        effect=Effect.CAPACITY_LOSS if verdict is Verdict.CAPACITY_LOSS else effect,
        goodput=window.good / window.wanted if window.wanted else nan,
        amplification=window.amplification,
        wasted=window.wasted,
        cold=window.cold(usual),
        throughput=window.completions / (usual.completions * window.span),
    )
