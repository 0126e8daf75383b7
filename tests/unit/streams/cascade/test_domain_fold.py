"""Level 2 judged by what it says: incidents, decisions and notices for scripted observations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import nan
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import (
    ConsistencyMode,
    Decision,
    DecisionKind,
    DecisionMode,
    EdgeObservations,
    Heartbeat,
    Incident,
    IncidentKind,
    IncidentStatus,
    Lag,
    LagStatus,
    Liveness,
    NodeHealth,
    Notice,
    Record,
    ScopeKind,
)
from snowshed.streams.cascade import DomainFold, DomainState, explain
from snowshed.streams.cascade.rules.node_failed import patience
from snowshed.streams.folding import Batch, Emission, Message
from snowshed.streams.policy import DatasetPolicy, DecisionPolicy, HealthPolicy, Policy, ServicePolicy

CODEC = Codec()
START = 1_700_000_000.0
R = TypeVar("R", bound=Record)


class Domain:
    """One partition of observations, its fold and all it has said."""

    def __init__(self, policy: Policy | None = None, *, round_trip: bool = False) -> None:
        self.fold = DomainFold(policy or Policy())
        self.state: dict[str, DomainState] = {}
        self.said: list[tuple[float, Emission]] = []
        self.offset = self.version = 0
        self.round_trip = round_trip

    def step(self, at: float, *records: Record, detector_lag: float = 0.0) -> tuple[Emission, ...]:
        messages = [
            Message(self.offset + index, START + at, b"default", CODEC.encode(record))
            for index, record in enumerate(records)
        ]
        decoded = self.fold.decode(messages)
        assert decoded.rejects == ()
        first, self.offset = self.offset, self.offset + len(messages)
        self.version += 1
        batch = Batch(1, first, self.offset, self.version, START + at, True, detector_lag, decoded.records)
        step = self.fold.step(self.state, batch)
        for key, value in step.changes.items():
            if value is None:
                del self.state[key]
            elif self.round_trip:
                raw = self.fold.dump(value)
                self.state[key] = self.fold.load(raw)
                assert self.fold.dump(self.state[key]) == raw
            else:
                self.state[key] = value
        self.said += [(at, emission) for emission in step.emissions]
        return step.emissions

    def all(self, kind: type[R]) -> list[tuple[float, R]]:
        return [(at, emission.record) for at, emission in self.said if isinstance(emission.record, kind)]

    def decisions(self, kind: DecisionKind) -> list[tuple[float, Decision]]:
        return [(at, decision) for at, decision in self.all(Decision) if decision.kind is kind]


def node(at: float, status: Liveness, *, since: float | None = None, name: str = "n1", service: str = "api") -> NodeHealth:
    return NodeHealth(
        domain="default",
        node=name,
        service=service,
        zone="",
        host="h",
        status=status,
        since=START + (at if since is None else since),
        last_seen=START + at - 0.8,
        interval=0.5,
        phi=6.0,
        observed_at=START + at,
        detector_lag=0.0,
    )


def lag(at: float, replica: str, status: LagStatus, low: float = 0.0, high: float = 0.4) -> Lag:
    return Lag(
        domain="default",
        dataset="orders",
        replica=replica,
        system="postgresql",
        status=status,
        since=START + at,
        low=low,
        high=high,
        bytes_behind=nan,
        poll_period=0.25,
        slo=2.0,
        observed_at=START + at,
        detector_lag=0.0,
        evidence_offset=1,
        evidence_partition=0,
    )


def edges(at: float, *rows: dict[str, object], detector_lag: float = 0.0) -> EdgeObservations:
    """Edges web>api by default with 100 sound requests in one second, changed row by row."""
    usual: dict[str, object] = {
        "caller": "web",
        "callee": "api",
        "span": 1.0,
        "reporters": 2.0,
        "first": 100.0,
        "attempts": 100.0,
        "ok": 100.0,
        "error_local": 0.0,
        "error_downstream": 0.0,
        "rejected": 0.0,
        "timeout": 0.0,
        "in_flight_max": 4.0,
        "queue_delay_mean": 0.001,
        "queue_delay_max": 0.002,
        "p50": 0.01,
        "p90": 0.02,
        "p99": 0.03,
        "base_first_rate": 100.0,
        "base_ok_ratio": 1.0,
        "base_p90": 0.02,
    }
    full = [usual | row for row in rows or ({},)]
    strings = tuple(dict.fromkeys(str(row[end]) for row in full for end in ("caller", "callee")))
    columns = {name: tuple(row[name] for row in full) for name in usual}
    for end in ("caller", "callee"):
        columns[end] = tuple(float(strings.index(str(row[end]))) for row in full)
    return EdgeObservations(
        domain="default",
        partition=0,
        observed_at=START + at,
        detector_lag=detector_lag,
        strings=strings,
        **columns,  # type: ignore[arg-type]
    )


RETRYING: dict[str, object] = {"attempts": 300.0, "ok": 20.0, "timeout": 280.0}
QUEUEING: dict[str, object] = {"queue_delay_mean": 0.08, "p90": 0.1}


def summary(said: list[tuple[float, Incident]]) -> list[tuple[float, str, str]]:
    return [(at, incident.subject, incident.status.value) for at, incident in said]


def test_a_dead_node_opens_one_incident_and_its_return_closes_it() -> None:
    domain = Domain()
    domain.step(0, node(0, Liveness.ALIVE))
    domain.step(5, node(5, Liveness.SUSPECT))
    assert domain.said == []
    domain.step(7, node(7, Liveness.DEAD))
    domain.step(8)
    domain.step(20, node(20, Liveness.ALIVE))
    assert summary(domain.all(Incident)) == [(7, "n1", "open"), (20, "n1", "closed")]
    assert [(at, notice.severity) for at, notice in domain.all(Notice)] == [(7, "warning"), (20, "info")]
    opened, closed = (incident for _, incident in domain.all(Incident))
    assert opened.incident_id == closed.incident_id
    assert (closed.opened_at, closed.closed_at) == (START + 7, START + 20)
    assert (opened.evidence[0].topic, opened.evidence[0].partition, opened.evidence[0].offset) == ("observations", 1, 2)
    assert [emission.key for _, emission in domain.said] == [opened.incident_id] * 4


def test_a_node_that_leaves_opens_nothing_and_closes_quietly() -> None:
    domain = Domain()
    domain.step(0, node(0, Liveness.LEFT))
    assert domain.said == []
    domain.step(1, node(1, Liveness.DEAD))
    domain.step(2, node(2, Liveness.LEFT))
    assert summary(domain.all(Incident))[-1] == (2, "n1", "closed")
    assert len(domain.all(Notice)) == 1


def test_the_patience_with_a_suspect_shrinks_with_each_confirmation() -> None:
    policy = HealthPolicy()
    assert [round(patience(count, 0.5, policy), 2) for count in range(4)] == [2.0, 1.37, 1.0, 1.0]
    assert patience(2, 1.0, policy) == pytest.approx(2.0)


@pytest.mark.parametrize(("callers", "convicted"), [((), None), (("a",), 1.4), (("a", "b"), 1.0), (("a", "b", "c"), 1.0)])
def test_callers_that_cannot_reach_a_suspect_convict_it_early(callers: tuple[str, ...], convicted: float | None) -> None:
    domain = Domain()
    domain.step(0, node(0, Liveness.SUSPECT))
    for tick in range(1, 20):
        at = tick / 10
        rows = [{"caller": caller, "timeout": 12.0, "ok": 88.0} for caller in callers]
        domain.step(at, *([edges(at, *rows)] if rows and tick % 5 == 0 else []))
    opened = [at for at, incident in domain.all(Incident) if incident.kind is IncidentKind.NODE_FAILED]
    assert (opened[0] if opened else None) == convicted


def test_callers_that_fail_as_often_as_usual_confirm_nothing() -> None:
    domain = Domain()
    domain.step(0, node(0, Liveness.SUSPECT))
    for tick in range(1, 20):
        row = {"timeout": 3.0, "ok": 97.0, "base_ok_ratio": 0.98}
        domain.step(tick / 10, edges(tick / 10, row, {**row, "caller": "b"}))
    assert domain.all(Incident) == []


def test_a_late_replica_is_avoided_and_the_freshest_preferred_before_the_source() -> None:
    domain = Domain()
    domain.step(
        0,
        lag(0, "main", LagStatus.FRESH, 0.0, 0.0),
        lag(0, "r1", LagStatus.FRESH),
        lag(0, "r2", LagStatus.FRESH, 0.0, 0.3),
        lag(0, "r3", LagStatus.FRESH, 0.0, 0.5),
    )
    domain.step(10, lag(10, "r1", LagStatus.BEHIND, 2.1, 2.6))
    ((_, decision),) = domain.all(Decision)
    assert decision.consistency is not None
    assert (decision.scope, decision.scope_kind, decision.kind) == ("orders", ScopeKind.DATASET, DecisionKind.CONSISTENCY)
    assert decision.consistency.mode is ConsistencyMode.PREFER
    assert (decision.consistency.avoid, decision.consistency.prefer) == (("r1",), ("r2", "r3", "main"))
    (_, incident), *_ = domain.all(Incident)
    assert (incident.subject, incident.decisions) == ("orders/r1", (decision.decision_id,))
    assert decision.incident_id == incident.incident_id
    assert "at least 2.1 s" in incident.summary
    domain.step(12, lag(12, "r1", LagStatus.FRESH))
    assert [(at, item.active, item.seq) for at, item in domain.all(Decision)] == [(10, True, 1), (12, False, 2)]
    assert summary(domain.all(Incident))[-1] == (12, "orders/r1", "closed")


def test_an_unknown_replica_is_avoided_and_a_silent_source_is_only_reported() -> None:
    domain = Domain()
    domain.step(0, lag(0, "main", LagStatus.UNKNOWN, 0.0, 0.0))
    assert [incident.subject for _, incident in domain.all(Incident)] == ["orders/main"]
    assert domain.all(Decision) == []
    domain.step(1, lag(1, "r1", LagStatus.UNKNOWN, 0.0, nan))
    ((_, decision),) = domain.all(Decision)
    assert decision.consistency is not None
    assert (decision.consistency.avoid, decision.consistency.prefer) == (("r1",), ())


def test_a_growing_lag_updates_its_incident_once_a_second_and_keeps_the_first_evidence() -> None:
    domain = Domain()
    for tick in range(31):
        at = tick / 10
        domain.step(at, lag(at, "r1", LagStatus.BEHIND, 2.0 + at, 2.6 + at))
    updates = [(at, incident) for at, incident in domain.all(Incident)]
    assert [round(at, 1) for at, _ in updates] == [0.0, 1.0, 2.0, 3.0]
    assert [item.value for item in updates[-1][1].evidence] == pytest.approx([2.0, 2.6, 5.0, 5.6])
    assert len(domain.all(Decision)) == 1
    assert len(domain.all(Notice)) == 1


def test_a_decision_is_renewed_at_half_of_its_life_and_numbered_on() -> None:
    domain = Domain()
    domain.step(0, lag(0, "r1", LagStatus.BEHIND, 3.0, 4.0))
    for tick in range(1, 120):
        domain.step(tick / 10)
    domain.step(12, lag(12, "r1", LagStatus.FRESH))
    domain.step(30, lag(30, "r1", LagStatus.BEHIND, 3.0, 4.0))
    said = [(at, decision.seq, decision.active, decision.epoch) for at, decision in domain.all(Decision)]
    assert said == [(0, 1, True, 1), (5, 2, True, 1), (10, 3, True, 1), (12, 4, False, 1), (30, 5, True, 1)]
    assert len({decision.decision_id for _, decision in domain.all(Decision)}) == 5


def test_two_amplified_windows_cut_the_retry_budget_and_clean_ones_give_it_back() -> None:
    domain = Domain()
    domain.step(0, edges(0))
    domain.step(1, edges(1, RETRYING))
    assert domain.said == []
    domain.step(2, edges(2, RETRYING))
    (at, decision), *_ = domain.decisions(DecisionKind.RETRY)
    assert (at, decision.scope, decision.retry_budget, decision.attempt_cap) == (2, "api", 0.05, 3)
    opened = {incident.kind for _, incident in domain.all(Incident)}
    assert IncidentKind.RETRY_AMPLIFICATION in opened
    for tick in range(3, 60):
        domain.step(tick, edges(tick))
    closed = [at for at, incident in domain.all(Incident) if incident.kind is IncidentKind.RETRY_AMPLIFICATION][-1]
    assert closed == 7
    last = domain.decisions(DecisionKind.RETRY)[-1][1]
    assert not last.active


def test_urgent_windows_of_a_quarter_second_are_enough() -> None:
    domain = Domain()
    quick = {name: value / 4 if isinstance(value, float) else value for name, value in RETRYING.items()}
    for tick in range(1, 4):
        domain.step(tick / 4, edges(tick / 4, {**quick, "span": 0.25, "first": 25.0}))
    assert [at for at, _ in domain.decisions(DecisionKind.RETRY)][0] == 0.5


@pytest.mark.parametrize(
    "row",
    [
        {"attempts": 140.0},
        {"first": 5.0, "attempts": 9.0, "ok": 9.0},
        {"first": 200.0, "attempts": 320.0, "ok": 320.0},
    ],
    ids=["too little", "too thin", "demand has doubled"],
)
def test_no_amplification_is_seen(row: dict[str, object]) -> None:
    domain = Domain()
    for tick in range(1, 4):
        domain.step(tick, edges(tick, row))
    assert IncidentKind.RETRY_AMPLIFICATION not in {incident.kind for _, incident in domain.all(Incident)}


def test_windows_of_retries_alone_are_judged_over_five_seconds() -> None:
    domain = Domain()
    domain.step(0, edges(0, {"first": 40.0, "attempts": 40.0, "ok": 0.0, "timeout": 40.0}))
    domain.step(1, edges(1, {"first": 0.0, "attempts": 40.0, "ok": 0.0, "timeout": 40.0}))
    domain.step(2, edges(2, {"first": 0.0, "attempts": 40.0, "ok": 0.0, "timeout": 40.0}))
    assert [at for at, _ in domain.decisions(DecisionKind.RETRY)] == [2]


def test_while_calls_still_fail_the_retry_budget_stays_cut() -> None:
    domain = Domain()
    domain.step(1, edges(1, RETRYING))
    domain.step(2, edges(2, RETRYING))
    for tick in range(3, 30):
        domain.step(tick, edges(tick, {"attempts": 105.0, "ok": 5.0, "timeout": 100.0}))
    assert all(decision.active for _, decision in domain.decisions(DecisionKind.RETRY))


def overload(domain: Domain, start: int, end: int, row: dict[str, object]) -> None:
    for tick in range(start, end):
        domain.step(tick, edges(tick, row))


def test_overload_cuts_retries_first_and_the_rate_after_them() -> None:
    domain = Domain()
    overload(domain, 0, 12, QUEUEING)
    first = {kind: decisions[0][0] for kind in DecisionKind if (decisions := domain.decisions(kind))}
    assert first == {DecisionKind.RETRY: 1, DecisionKind.DEGRADE: 1, DecisionKind.RATE: 3}
    levels = [decision.degrade_level for _, decision in domain.decisions(DecisionKind.DEGRADE)]
    assert sorted(set(levels), key=levels.index) == [1, 2]
    rates = [decision for _, decision in domain.decisions(DecisionKind.RATE)]
    multipliers = [rate.rate_multiplier for rate in rates]
    assert multipliers[:4] == pytest.approx([0.5, 0.25, 0.125, 0.0625])
    assert min(multipliers) == 0.05
    assert rates[0].absolute_cap == pytest.approx(50.0)
    assert rates[0].per_instance_fallback == pytest.approx(25.0)


def test_the_rate_follows_the_square_root_of_the_excess() -> None:
    domain = Domain()
    overload(domain, 0, 5, {"queue_delay_mean": 0.03})
    rates = [decision.rate_multiplier for _, decision in domain.decisions(DecisionKind.RATE)]
    assert rates == pytest.approx([(0.02 / 0.03) ** 0.5, 0.02 / 0.03], rel=1e-6)


def test_recovery_raises_the_rate_step_by_step_and_falls_one_level_at_a_time() -> None:
    domain = Domain()
    overload(domain, 0, 6, QUEUEING)
    overload(domain, 6, 120, {})
    rates = [decision.rate_multiplier or 0.0 for _, decision in domain.decisions(DecisionKind.RATE)]
    rising = rates[rates.index(min(rates)) :]
    assert rising == sorted(rising)
    assert all(b <= a * 1.25 + 1e-12 for a, b in zip(rising, rising[1:], strict=False))
    degrade = [(at, item.degrade_level, item.active) for at, item in domain.decisions(DecisionKind.DEGRADE)]
    level_one_again = next(at for at, level, _ in degrade if at > 5 and level == 1)
    assert level_one_again == 26
    assert not domain.decisions(DecisionKind.RATE)[-1][1].active
    assert not domain.decisions(DecisionKind.DEGRADE)[-1][1].active
    assert summary(domain.all(Incident))[-1][1:] == ("api", "closed")
    assert not any(key.startswith(("throttle/", "incident/")) for key in domain.state)


def test_signals_between_bad_and_clear_neither_cut_nor_restore() -> None:
    domain = Domain()
    overload(domain, 0, 5, {"queue_delay_mean": 0.03})
    before = domain.decisions(DecisionKind.RATE)[-1][1].rate_multiplier
    overload(domain, 5, 60, {"queue_delay_mean": 0.015})
    assert {decision.rate_multiplier for at, decision in domain.decisions(DecisionKind.RATE) if at > 5} == {before}
    assert all(decision.active for _, decision in domain.decisions(DecisionKind.RATE))


@pytest.mark.parametrize(
    "row",
    [{"ok": 60.0, "error_downstream": 40.0}, {"p90": 0.07}, {"queue_delay_mean": 0.021}],
    ids=["errors", "latency", "queue delay"],
)
def test_each_signal_alone_is_overload(row: dict[str, object]) -> None:
    domain = Domain()
    overload(domain, 0, 3, row)
    assert [incident.kind for _, incident in domain.all(Incident)][0] is IncidentKind.OVERLOAD


@pytest.mark.parametrize(
    "row",
    [
        {"rejected": 60.0, "ok": 40.0},
        {"ok": 75.0, "error_downstream": 25.0},
        {"p90": 0.05},
        {"first": 10.0, "attempts": 10.0, "ok": 0.0},
        {"ok": 10.0, "p90": 9.0, "base_ok_ratio": nan, "base_p90": nan},
    ],
    ids=["refused by our own brake", "some errors", "slower", "thin", "nothing learned yet"],
)
def test_no_overload_is_seen(row: dict[str, object]) -> None:
    domain = Domain()
    overload(domain, 0, 4, row)
    assert domain.said == []


def test_one_of_many_callers_complaining_does_not_accuse_the_callee() -> None:
    domain = Domain()
    for tick in range(5):
        domain.step(tick, edges(tick, {"p90": 0.5}, {"caller": "b"}, {"caller": "c"}))
    assert domain.said == []


def test_a_protected_service_keeps_its_inflow() -> None:
    domain = Domain(Policy(services={"api": ServicePolicy(protected=True)}))
    overload(domain, 0, 12, QUEUEING)
    assert {decision.kind for _, decision in domain.all(Decision)} == {DecisionKind.RETRY}


def test_a_protected_dataset_is_reported_but_not_steered() -> None:
    domain = Domain(Policy(datasets={"orders": DatasetPolicy(protected=True)}))
    domain.step(0, lag(0, "r1", LagStatus.BEHIND, 3.0, 4.0))
    assert len(domain.all(Incident)) == 1
    assert domain.all(Decision) == []


def test_a_victim_that_waits_for_another_overloaded_service_keeps_its_inflow() -> None:
    domain = Domain()
    slow: dict[str, object] = {"p90": 0.5}
    for tick in range(12):
        domain.step(tick, edges(tick, slow, {"caller": "api", "callee": "db", **QUEUEING}))
    cut = {decision.scope for _, decision in domain.decisions(DecisionKind.RATE)}
    assert cut == {"db"}
    victim = [incident for _, incident in domain.all(Incident) if incident.subject == "api"][-1]
    assert [cause.name for cause in victim.causes] == ["db"]
    assert "waits for db" in victim.summary


def test_a_late_detector_tightens_nothing_and_lets_decisions_run_out() -> None:
    domain = Domain()
    domain.step(0, lag(0, "r1", LagStatus.BEHIND, 3.0, 4.0))
    for tick in range(1, 20):
        assert domain.step(tick, edges(tick, RETRYING), detector_lag=3.1) == ()
    assert domain.step(20, detector_lag=3.0) != ()


def test_edges_seen_by_a_late_detector_are_not_used() -> None:
    domain = Domain()
    for tick in range(4):
        domain.step(tick, edges(tick, RETRYING, detector_lag=3.5))
    assert domain.said == []


def test_shadow_mode_marks_every_decision() -> None:
    domain = Domain(Policy(decisions=DecisionPolicy(mode=DecisionMode.SHADOW)))
    overload(domain, 0, 5, {**RETRYING, **QUEUEING})
    assert {decision.mode for _, decision in domain.all(Decision)} == {DecisionMode.SHADOW}


def test_quiet_ticks_are_empty_and_old_views_are_forgotten() -> None:
    domain = Domain()
    domain.step(0, edges(0), node(0, Liveness.ALIVE), lag(0, "r1", LagStatus.FRESH))
    tick = Batch(1, 0, 0, 1, START + 1, True, 0.0, domain.fold.decode([]).records)
    assert domain.fold.step(domain.state, tick).empty
    domain.step(4000)
    assert domain.state == {}


def test_what_is_no_observation_is_rejected() -> None:
    values = [
        CODEC.encode(Heartbeat(node="n", service="s", seq=1, sent_at=1, monotonic=1, interval=1)),
        CODEC.encode(replace(edges(0), ok=())),
        CODEC.encode(replace(edges(0), caller=(9.0,))),
        CODEC.encode(replace(edges(0), span=(0.0,))),
        CODEC.encode(replace(edges(0), caller=(nan,))),
        CODEC.encode(replace(edges(0), base_ok_ratio=())),
        b"junk",
        None,
    ]
    decoded = Domain().fold.decode([Message(index, 0.0, None, value) for index, value in enumerate(values)])
    assert [reject.message.offset for reject in decoded.rejects] == list(range(len(values)))


def test_an_explanation_tells_what_since_when_who_evidence_decision_and_end() -> None:
    domain = Domain()
    overload(domain, 0, 6, {**RETRYING, **QUEUEING})
    decisions = [decision for _, decision in domain.all(Decision)]
    incident = next(item for _, item in domain.all(Incident) if item.kind is IncidentKind.RETRY_AMPLIFICATION)
    text = explain(incident, decisions)
    for part in (
        "Retries amplify the load on api: web sends 3.0 attempts for every request to api.",
        "since     2023-11-14 22:13:21 UTC, still open",
        "attempts per request on web>api = 3 (limit 1.5)",
        "observations[1]@1",
        "retry of api: retries at most 5% of requests, 3 attempts",
        "ends when retries stay low",
    ):
        assert part in text
    assert len(text.splitlines()) < 12
    overloaded = [item for _, item in domain.all(Incident) if item.kind is IncidentKind.OVERLOAD][-1]
    assert "of the usual rate" in explain(overloaded, decisions)
    closed = replace(incident, status=IncidentStatus.CLOSED, closed_at=incident.opened_at + 9)
    assert "closed after 9 s" in explain(closed)
    assert "ends when" not in explain(closed)


rows = st.sampled_from(
    [
        {},
        RETRYING,
        QUEUEING,
        {"caller": "api", "callee": "db", **QUEUEING},
        {"caller": "b", "p90": 0.5},
        {"first": 0.0, "attempts": 50.0},
        {"ok": 0.0, "timeout": 100.0, "base_ok_ratio": nan, "base_first_rate": nan},
        {"rejected": 90.0, "ok": 5.0},
    ]
)
events = st.one_of(
    st.tuples(st.just("edges"), st.lists(rows, min_size=1, max_size=3)),
    st.tuples(st.just("node"), st.tuples(st.sampled_from(["n1", "n2"]), st.sampled_from(Liveness))),
    st.tuples(st.just("lag"), st.tuples(st.sampled_from(["main", "r1", "r2"]), st.sampled_from(LagStatus))),
)
scripts = st.lists(
    st.tuples(st.floats(0.05, 3.0), st.lists(events, max_size=4), st.sampled_from([0.0, 0.0, 0.0, 4.0])), max_size=25
)


def records(at: float, happened: Iterable[tuple[str, object]]) -> list[Record]:
    made: list[Record] = []
    for kind, detail in happened:
        match kind, detail:
            case "edges", list() as changed:
                made.append(edges(at, *changed))
            case "node", (str() as name, Liveness() as status):
                made.append(node(at, status, name=name))
            case "lag", (str() as name, LagStatus() as status):
                high = 0.0 if name == "main" else nan if status is LagStatus.UNKNOWN else 1.0
                made.append(lag(at, name, status, 0.0, high))
            case _:
                raise AssertionError(kind)
    return made


@given(scripts)
def test_a_fold_resumed_from_its_dumped_state_behaves_as_one_never_interrupted(
    script: list[tuple[float, list[tuple[str, object]], float]],
) -> None:
    straight, resumed = Domain(), Domain(round_trip=True)
    at = 0.0
    for wait, happened, late in script:
        at += wait
        made = records(at, happened)
        one = straight.step(at, *made, detector_lag=late)
        assert repr(one) == repr(resumed.step(at, *made, detector_lag=late))
        for emission in one:
            CODEC.encode(emission.record)
    assert repr(straight.state) == repr(resumed.state)


@given(scripts)
def test_decisions_are_numbered_without_gaps_and_every_active_one_has_an_open_incident(
    script: list[tuple[float, list[tuple[str, object]], float]],
) -> None:
    domain = Domain()
    at = 0.0
    for wait, happened, _ in script:
        at += wait
        domain.step(at, *records(at, happened))
        held = {decision.scope + decision.kind.value: decision for _, decision in domain.all(Decision)}
        if any(decision.active for decision in held.values()):
            assert any(key.startswith("incident/") for key in domain.state)
    sequences: dict[str, list[int]] = {}
    for _, decision in domain.all(Decision):
        sequences.setdefault(f"{decision.scope}|{decision.kind.value}", []).append(decision.seq)
        if decision.rate_multiplier is not None:
            assert 0.05 <= decision.rate_multiplier <= 1.0
    for sequence in sequences.values():
        assert sequence == list(range(1, len(sequence) + 1))
    identities = [decision.decision_id for _, decision in domain.all(Decision)]
    assert len(set(identities)) == len(identities)
