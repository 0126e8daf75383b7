"""What holds for any script of observations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import nan
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.streams.cascade.domain_script import CODEC, QUEUEING, RETRYING, START, Domain, edges, lag, node

from snowshed.schemas.records import (
    Decision,
    DecisionKind,
    Heartbeat,
    LagStatus,
    Liveness,
    Record,
)
from snowshed.streams.folding import Batch, Message
from snowshed.streams.policy import OverloadPolicy


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
        CODEC.encode(replace(edges(0), attempts=(nan,))),
        CODEC.encode(replace(edges(0), timeout=(-1.0,))),
        b"junk",
        None,
    ]
    decoded = Domain().fold.decode([Message(index, 0.0, None, value) for index, value in enumerate(values)])
    assert [reject.message.offset for reject in decoded.rejects] == list(range(len(values)))


_ROWS: list[Mapping[str, object]] = [
    {},
    RETRYING,
    QUEUEING,
    {"caller": "api", "callee": "db", **QUEUEING},
    {"caller": "b", "p90": 0.5},
    {"first": 0.0, "attempts": 50.0},
    {"ok": 0.0, "timeout": 100.0, "base_ok_ratio": nan, "base_first_rate": nan},
    {"rejected": 90.0, "ok": 5.0},
]
rows = st.sampled_from(_ROWS)
events: st.SearchStrategy[tuple[str, object]] = st.one_of(
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
            case "edges", list():
                made.append(edges(at, *cast("list[Mapping[str, object]]", detail)))
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
def test_decisions_are_numbered_without_gaps_and_no_rate_is_cut_without_an_open_incident(
    script: list[tuple[float, list[tuple[str, object]], float]],
) -> None:
    domain = Domain()
    at = 0.0
    for wait, happened, _ in script:
        at += wait
        domain.step(at, *records(at, happened))
        held = {decision.scope + decision.kind.value: decision for _, decision in domain.all(Decision)}
        for decision in held.values():
            # Retries may be cut and features switched off before an overload has harmed anybody.
            if decision.active and decision.kind not in {DecisionKind.RETRY, DecisionKind.DEGRADE}:
                assert any(key.startswith("incident/") for key in domain.state)
    sequences: dict[str, list[int]] = {}
    for _, decision in domain.all(Decision):
        sequences.setdefault(f"{decision.scope}|{decision.kind.value}", []).append(decision.seq)
        if decision.rate_multiplier is not None:
            # A level that is held for its clean time lets a little more than usual (docs/control.md).
            assert 0.05 <= decision.rate_multiplier <= OverloadPolicy().headroom
    for sequence in sequences.values():
        assert sequence == list(range(1, len(sequence) + 1))
    identities = [decision.decision_id for _, decision in domain.all(Decision)]
    assert len(set(identities)) == len(identities)
