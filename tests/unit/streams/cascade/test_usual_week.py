"""What is usual at this hour of the week, through the fold."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from tests.unit.streams.cascade.domain_script import QUEUEING, Domain, edges

from snowshed.streams.cascade.standing import Standing
from snowshed.streams.policy import ChangePolicy, Policy
from snowshed.streams.stability.course import Verdict
from snowshed.streams.stability.season import Season, hour_of


def standing(domain: Domain) -> Standing:
    value = domain.state["service/api"]
    assert isinstance(value, Standing)
    return value


def busy(rate: float) -> Mapping[str, object]:
    return {"first": rate, "attempts": rate, "ok": rate, "completions": rate}


def test_an_hour_that_was_seen_is_kept_and_a_part_of_one_is_not() -> None:
    domain = Domain(Policy(change=ChangePolicy(season_windows=100)), round_trip=True)
    for at in range(0, 3600 * 2, 30):
        domain.step(at, edges(at, busy(100.0 + at / 36)))
    season = domain.state["season/api"]
    assert isinstance(season, Season)
    known = [hour for hour, mean in enumerate(season.hours) if not isnan(mean)]
    first = hour_of(1_700_000_000.0)
    assert known == [first + 1]  # the test begins within the first hour, which has only 93 of its windows


def test_a_morning_is_no_surge_while_the_median_is_frozen() -> None:
    def after_an_hour(season: bool) -> Verdict:
        domain = Domain()
        for at in range(14):
            domain.step(at, edges(at, busy(100.0)))
        hours = [100.0] * 168
        hours[hour_of(1_700_000_000.0 + 7200)] = 200.0
        if season:
            domain.state["season/api"] = Season("api", tuple(hours))
        domain.step(14, edges(14, {**busy(100.0), **QUEUEING}))
        domain.step(15, edges(15, {**busy(100.0), **QUEUEING}))
        for at in range(7190, 7200):
            domain.step(at, edges(at, {**busy(200.0), "ok": 100.0, "timeout": 100.0, **QUEUEING}))
        return standing(domain).judgement.verdict

    assert after_an_hour(season=False) is not after_an_hour(season=True)
