"""The judge of metastable states: the published outcomes by simulation, and each condition by hand."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest
from tests.unit.streams.stability.driving import folded, judged

from snowshed.schemas.records import IncidentKind
from snowshed.streams.policy import MetastablePolicy
from snowshed.streams.simulate.queueing import NAMED, calibrated
from snowshed.streams.stability.course import CALM, Course, Effect, Judgement, Verdict
from snowshed.streams.stability.measured import Measured, Usual
from snowshed.streams.stability.metastable import judge

POLICY = MetastablePolicy()
USUAL = Usual(first=100.0, requests=100.0, completions=100.0)
SOUND = Measured(
    at=0.0, span=1.0, first=100.0, attempts=100.0, ok=100.0, completions=100.0, rejected=0.0, timeout=0.0, p99=0.01
)
STUCK = replace(SOUND, attempts=300.0, ok=0.0, completions=150.0, timeout=300.0, p99=3.0)
SHORT = replace(SOUND, attempts=150.0, ok=10.0, completions=40.0, timeout=130.0, p99=3.0)
SURGE = replace(STUCK, first=250.0)


def script(*parts: tuple[int, Measured], usual: Usual = USUAL) -> list[Judgement]:
    course, at, said = CALM, 0.0, list[Judgement]()
    for seconds, window in parts:
        for _ in range(seconds):
            at += 1.0
            course, judgement = judge(course, replace(window, at=at), usual, POLICY)
            said.append(judgement)
    return said


@pytest.mark.parametrize(
    ("factor", "trouble", "load", "stays"),
    [(0.225, 10.0, 0.38, False), (0.2, 10.0, 0.38, True), (0.2, 9.0, 0.38, False), (0.2, 10.0, 0.285, False)],
)
def test_the_published_outcomes_are_told_apart_within_ten_seconds_of_the_triggers_end(
    factor: float, trouble: float, load: float, stays: bool
) -> None:
    scenario = calibrated(factor=factor, trouble=trouble, utilisation=load, seconds=95, capacity=2000.0)
    opened = [
        (second[0].at, incident)
        for second, incidents, _ in folded(scenario, 1)
        for incident in incidents
        if incident.kind is IncidentKind.METASTABLE
    ]
    assert len(opened) == stays
    for at, incident in opened:
        assert at <= scenario.end + 10.0
        assert incident.causes[0].name == "retries"


def test_a_flushed_cache_is_named() -> None:
    scenario = replace(NAMED["cold-cache"], seconds=90)
    at, effect = judged(second[0] for second in scenario.run(1)).first[Verdict.METASTABLE]
    assert at <= scenario.end + 10.0
    assert effect is Effect.COLD_CACHE


def test_a_capacity_loss_that_stays_is_no_metastable_state() -> None:
    said = [one.verdict for one in script((5, SOUND), (60, SHORT))]
    assert Verdict.CAPACITY_LOSS in said
    assert Verdict.METASTABLE not in said


def test_a_throughput_that_does_not_return_after_a_surge_is_a_capacity_that_degraded_itself() -> None:
    said = script((5, SOUND), (5, SURGE), (12, SHORT))
    assert said[-1].verdict is Verdict.METASTABLE
    assert said[-1].effect is Effect.CAPACITY_LOSS


def test_the_clock_starts_when_the_throughput_is_back_and_a_provisional_verdict_comes_half_way() -> None:
    said = script((5, SOUND), (10, SHORT), (12, STUCK))
    since = [one.since for one in said if one.verdict in {Verdict.PROVISIONAL, Verdict.METASTABLE}]
    assert set(since) == {15.0}
    verdicts = [one.verdict for one in said]
    assert verdicts.index(Verdict.PROVISIONAL) == 15 + 4
    assert verdicts.index(Verdict.METASTABLE) == 15 + 8


def test_one_window_that_does_not_fit_restarts_no_clock() -> None:
    said = script((5, SOUND), (5, SHORT), (4, STUCK), (1, SHORT), (5, STUCK))
    assert said[-1].verdict is Verdict.METASTABLE


@pytest.mark.parametrize(
    ("window", "effect"),
    [
        (STUCK, Effect.RETRIES),
        (replace(STUCK, attempts=120.0, timeout=120.0, completions=110.0), Effect.WASTED_WORK),
        (replace(STUCK, first=250.0, requests=100.0, attempts=600.0, timeout=600.0), Effect.COLD_CACHE),
    ],
)
def test_the_loop_that_keeps_it_there_is_named(window: Measured, effect: Effect) -> None:
    assert script((5, SOUND), (12, window))[-1].effect is effect


def test_a_backlog_that_shrinks_or_a_goodput_that_rises_is_a_recovery() -> None:
    draining = replace(STUCK, attempts=160.0, completions=260.0)
    assert {one.verdict for one in script((5, SOUND), (30, draining))[8:]} == {Verdict.RECOVERING}
    rising = [(1, replace(STUCK, ok=4.0 * second)) for second in range(15)]
    assert Verdict.METASTABLE not in [one.verdict for one in script((5, SOUND), *rising)]


def test_errors_of_its_own_a_surge_and_an_unknown_throughput_are_no_metastable_state() -> None:
    erring = replace(STUCK, timeout=0.0, errors=300.0)
    for window in (erring, SURGE, replace(STUCK, completions=nan)):
        assert Verdict.METASTABLE not in [one.verdict for one in script((5, SOUND), (30, window))]


def test_a_surge_that_ends_is_seen_without_the_throughput() -> None:
    blind = replace(STUCK, completions=nan)
    said = script((5, SOUND), (5, replace(SURGE, completions=nan)), (12, blind))
    assert said[-1].verdict is Verdict.METASTABLE


def test_the_verdict_stands_until_calls_have_been_answered_for_some_seconds() -> None:
    shed = replace(STUCK, attempts=100.0, ok=20.0, rejected=60.0)
    said = script((5, SOUND), (12, STUCK), (10, shed), (6, SOUND))
    assert {one.verdict for one in said[15:27]} == {Verdict.METASTABLE}
    assert said[-1].verdict is Verdict.STABLE


def test_calls_that_a_brake_refuses_are_no_failures_while_what_it_admits_is_answered() -> None:
    shed = replace(SOUND, ok=55.0, completions=55.0, rejected=45.0)
    assert {one.verdict for one in script((5, SOUND), (30, shed))} == {Verdict.STABLE}
    surge = replace(SURGE, ok=55.0, completions=55.0, rejected=SURGE.attempts - 55.0)
    assert Verdict.METASTABLE not in [one.verdict for one in script((5, SOUND), (5, surge), (30, shed))]


def test_what_is_admitted_and_fails_is_metastable_however_much_is_refused() -> None:
    shed = replace(STUCK, first=100.0, attempts=250.0, rejected=50.0)
    assert script((5, SOUND), (20, shed))[-1].verdict is Verdict.METASTABLE


def test_the_hold_is_three_of_the_clients_time_outs() -> None:
    patient = replace(STUCK, p99=6.0)
    verdicts = [one.verdict for one in script((5, SOUND), (30, patient))]
    assert verdicts.index(Verdict.METASTABLE) == 5 + 18 - 1


def test_nothing_is_judged_before_anything_is_usual() -> None:
    course, judgement = judge(Course(), STUCK, Usual(), POLICY)
    assert course is CALM
    assert judgement.verdict is Verdict.STABLE
