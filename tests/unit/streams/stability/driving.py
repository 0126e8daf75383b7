"""Simulated seconds through the judge alone, and through the whole of level 2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from math import nan

from tests.unit.streams.cascade.domain_script import START, Domain, edges

from snowshed.schemas.records import EdgeObservations, Incident, IncidentStatus
from snowshed.streams.policy import Policy
from snowshed.streams.simulate.queueing import Scenario, Second
from snowshed.streams.stability.course import CALM, Effect, Phase, Verdict
from snowshed.streams.stability.measured import Measured, Usual
from snowshed.streams.stability.metastable import judge
from snowshed.streams.stability.robust import Robust, learned

POLICY = Policy()
_CALM_SECONDS = 40


@dataclass
class Verdicts:
    """When each verdict was first held, and with which effect."""

    first: dict[Verdict, tuple[float, Effect | None]] = field(
        default_factory=dict[Verdict, tuple[float, Effect | None]]
    )

    def at(self, verdict: Verdict) -> float:
        return self.first.get(verdict, (nan, None))[0]


def measured(second: Second) -> Measured:
    return Measured(
        at=second.at,
        span=1.0,
        first=float(second.first),
        attempts=float(second.attempts),
        ok=float(second.ok),
        completions=float(second.completions),
        rejected=float(second.rejected),
        timeout=float(second.timeout),
        errors=float(second.error_local + second.error_downstream),
        requests=float(second.first + second.cache_hits) if second.cache_lookups else nan,
        p99=second.latency_p99,
        queue_delay=second.queue_delay_mean,
    )


def judged(seconds: Iterable[Second]) -> Verdicts:
    """The judge with baselines that learn while it finds nothing, over one edge."""
    limits = POLICY.change
    first, requests, served, course, verdicts = Robust(), Robust(), Robust(), CALM, Verdicts()
    for second in seconds:
        window = measured(second)
        usual = Usual(
            first=first.location,
            requests=requests.location,
            completions=served.location,
            spread=requests.scale(limits) / requests.location if requests.location > 0.0 else 0.0,
        )
        course, judgement = judge(course, window, usual, POLICY.metastable)
        verdicts.first.setdefault(judgement.verdict, (second.at, judgement.effect))
        if course.phase is Phase.SOUND and not course.since and not window.queue_delay > POLICY.overload.queue_delay:
            first = learned(first, window.first, limits)
            requests = learned(requests, window.demand, limits)
            served = learned(served, window.completions, limits)
    return verdicts


def plain(seconds: Iterable[Second], hold: float) -> float:
    """When goodput has been below 0.7 of the usual for `hold` seconds: what a simple alarm does; NaN for never."""
    rows = list(seconds)
    usual = sum(row.ok + row.cache_hits for row in rows[20:60]) / 40
    bad = 0.0
    for row in rows:
        bad = bad + 1.0 if row.at > 60.0 and row.ok + row.cache_hits < 0.7 * usual else 0.0
        if bad >= hold:
            return row.at
    return nan


def _row(second: Second, calm: Mapping[str, float]) -> dict[str, object]:
    names = ("first", "attempts", "ok", "completions", "timeout", "rejected", "error_local", "error_downstream")
    return {
        "caller": second.caller,
        "callee": second.callee,
        **{name: float(getattr(second, name)) for name in names},
        "in_flight_max": float(second.in_flight_max),
        "queue_delay_mean": second.queue_delay_mean,
        "queue_delay_max": second.queue_delay_max,
        "p50": second.latency_p50,
        "p90": second.latency_p90,
        "p99": second.latency_p99,
        **calm,
    }


def _calm(rows: list[Second]) -> dict[str, float]:
    first, attempts = sum(row.first for row in rows), sum(row.attempts for row in rows)
    p90 = sorted(row.latency_p90 for row in rows if row.latency_p90 == row.latency_p90)
    return {
        "base_first_rate": first / len(rows),
        "base_ok_ratio": min(sum(row.ok for row in rows) / max(attempts, 1), 1.0),
        "base_p90": p90[len(p90) // 2] if p90 else nan,
    }


def calm_of(before: Iterable[tuple[Second, ...]]) -> dict[tuple[str, str], dict[str, float]]:
    """Level 1's baselines of each edge, from calm seconds; the first ten warm up."""
    return {(rows[0].caller, rows[0].callee): _calm(list(rows[10:])) for rows in zip(*before, strict=True)}


def observed(second: tuple[Second, ...], calm: Mapping[tuple[str, str], Mapping[str, float]]) -> EdgeObservations:
    """What level 1 would have said of a second."""
    return edges(second[0].at, *[_row(row, calm[row.caller, row.callee]) for row in second])


def folded(
    scenario: Scenario, seed: int, policy: Policy | None = None
) -> Iterator[tuple[tuple[Second, ...], list[Incident], Domain]]:
    """Each second, the incidents opened in it, and the domain; level 1's baselines are those of the calm seconds."""
    run = scenario.run(seed)
    before = list(islice(run, _CALM_SECONDS))
    calm = calm_of(before)
    domain = Domain(policy)
    for second in [*before, *run]:
        emissions = domain.step(second[0].at, observed(second, calm))
        records = [emission.record for emission in emissions]
        opened = [
            record
            for record in records
            if isinstance(record, Incident)
            and record.status is IncidentStatus.OPEN
            and record.opened_at == START + second[0].at
        ]
        yield second, opened, domain
