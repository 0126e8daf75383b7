"""Edge windows: every call counted once, the right end believed, baselines frozen while something is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isnan, nan
from random import Random
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import EdgeHealth, EdgeObservations, EdgeStatus, TimingBatch, Vantage
from snowshed.schemas.sketch import RELATIVE_ERROR, LatencySketch
from snowshed.streams.edges import CalleeState, TimingColumns, TimingFold
from snowshed.streams.edges.baseline import LEARNED, learned
from snowshed.streams.edges.groups import regrouped
from snowshed.streams.edges.judging import judged
from snowshed.streams.edges.layout import COLUMNS
from snowshed.streams.edges.queueing import queue_limit
from snowshed.streams.edges.table import STATUSES
from snowshed.streams.edges.tally import Tally
from snowshed.streams.edges.windows import closed
from snowshed.streams.folding import Batch, Emission, Message
from snowshed.streams.policy import Policy, ServicePolicy

CODEC = Codec()
POLICY = Policy(services={"db": ServicePolicy(domain="data")})
START = 1_700_000_000.0


class Partition:
    def __init__(self, *, round_trip: bool = False) -> None:
        self.fold = TimingFold(POLICY)
        self.state: dict[str, CalleeState] = {}
        self.round_trip = round_trip

    def step(self, now: float, batches: Iterable[TimingBatch] = ()) -> tuple[Emission, ...]:
        decoded = self.fold.decode([Message(0, now, None, CODEC.encode(batch)) for batch in batches])
        assert decoded.rejects == ()
        batch: Batch[TimingColumns] = Batch(2, 0, 0, 1, now, True, 0.25, decoded.records)
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
        return step.emissions


def report(
    caller: str | Sequence[str] = "web",
    callee: str = "api",
    *,
    reporter: str = "web-1",
    vantage: Vantage = Vantage.CALLER,
    first: float = 50.0,
    retries: float = 0.0,
    ok: float | None = None,
    seconds: float = 0.01,
    queue_delay: float = 0.0,
    window: float = 1.0,
    urgent: bool = False,
    rows: int = 1,
) -> TimingBatch:
    callers = (caller,) * rows if isinstance(caller, str) else tuple(caller)
    strings = tuple(dict.fromkeys((*callers, "")))
    count = len(callers)
    attempts = first + retries
    sketch = LatencySketch()
    sketch.add(seconds, int(attempts))
    ((bucket, _),) = sketch.items()
    columns: dict[str, Any] = dict.fromkeys(COLUMNS, (0.0,) * count)
    columns |= {
        "caller": tuple(float(strings.index(name)) for name in callers),
        "operation": (float(strings.index("")),) * count,
        "statement": (float(strings.index("")),) * count,
        "first": (first,) * count,
        "attempts": (attempts,) * count,
        "ok": (attempts if ok is None else ok,) * count,
        "timeout": (attempts - (attempts if ok is None else ok),) * count,
        "queue_delay_sum": (queue_delay * attempts,) * count,
        "queue_delay_max": (queue_delay * 2,) * count,
        "latency_end": tuple(float(index + 1) for index in range(count)),
    }
    return TimingBatch(
        reporter=reporter,
        service="web",
        callee=callee,
        vantage=vantage,
        window_start=0.0,
        window=window,
        urgent=urgent,
        sent_at=0.0,
        strings=strings,
        **columns,
        latency_bucket=(float(bucket),) * count,
        latency_count=(attempts,) * count,
    )


def observations(emissions: Iterable[Emission]) -> list[EdgeObservations]:
    return [item.record for item in emissions if isinstance(item.record, EdgeObservations)]


def healths(emissions: Iterable[Emission]) -> list[EdgeHealth]:
    return [item.record for item in emissions if isinstance(item.record, EdgeHealth)]


def trained(partition: Partition, seconds: int = 15) -> float:
    for second in range(1, seconds + 1):
        partition.step(START + second, [report()])
    return START + seconds


def test_a_window_closes_after_a_second_and_counts_every_reporter_once() -> None:
    partition = Partition()
    assert partition.step(START, [report(rows=3)]) == ()
    assert partition.step(START + 0.9, [report(reporter="web-2", retries=25.0, seconds=0.1)]) == ()
    emissions = partition.step(START + 1.0)
    (seen,) = observations(emissions)
    assert [(item.topic, item.key, item.rule) for item in emissions] == [
        ("observations", "default", "edge-window/1"),
        ("health", "web>api", "edge-ok/1"),
    ]
    assert (seen.first, seen.attempts, seen.ok) == ((200.0,), (225.0,), (225.0,))
    assert (seen.span, seen.reporters, seen.partition, seen.detector_lag) == ((1.0,), (2.0,), 2, 0.25)
    assert seen.p50[0] == pytest.approx(0.01, rel=RELATIVE_ERROR)
    assert seen.p90[0] == pytest.approx(0.1, rel=RELATIVE_ERROR)
    assert isnan(seen.base_p90[0])
    assert partition.step(START + 5.0) == ()


def test_an_urgent_batch_closes_the_window_after_a_quarter_second() -> None:
    partition = Partition()
    partition.step(START, [report()])
    assert partition.step(START + 0.2, [report(urgent=True, window=0.3)]) == ()
    (seen,) = observations(partition.step(START + 0.25))
    assert seen.span == (1.3,)
    assert partition.step(START + 0.6, [report()]) == ()


def test_counts_are_the_callers_and_queue_delay_is_the_callees() -> None:
    partition = Partition()
    batches = [
        report(first=60.0, ok=40.0),
        report(first=40.0, reporter="api-1", vantage=Vantage.CALLEE, queue_delay=0.03),
        report("cron", first=5.0, reporter="api-1", vantage=Vantage.CALLEE, queue_delay=0.01),
    ]
    partition.step(START, batches)
    (seen,) = observations(partition.step(START + 1))
    names = [seen.strings[int(index)] for index in seen.caller]
    by_name = dict(zip(names, range(2), strict=True))
    web, cron = by_name["web"], by_name["cron"]
    assert (seen.attempts[web], seen.timeout[web], seen.attempts[cron]) == (60.0, 20.0, 5.0)
    assert seen.queue_delay_mean[web] == pytest.approx(0.03)
    assert seen.queue_delay_max[web] == pytest.approx(0.06)
    assert seen.queue_delay_mean[cron] == pytest.approx(0.01)


def test_callees_of_different_domains_are_observed_apart() -> None:
    partition = Partition()
    partition.step(START, [report(), report(callee="db"), report(callee="cache")])
    seen = observations(partition.step(START + 1))
    assert [(item.domain, [item.strings[int(index)] for index in item.callee]) for item in seen] == [
        ("data", ["db"]),
        ("default", ["api", "cache"]),
    ]


def test_the_baseline_is_learned_and_then_frozen_while_the_edge_is_anomalous() -> None:
    partition = Partition()
    now = trained(partition)
    before = partition.state["api"].table
    assert (before.first_rate, before.ok_ratio) == ((50.0,), (1.0,))
    for second in range(1, 6):
        seen = healths(partition.step(now + second, [report(ok=10.0, seconds=1.0)]))
        assert [item.status for item in seen if item.since == item.observed_at] == (
            [EdgeStatus.OVERLOADED] if second == 1 else []
        )
    after = partition.state["api"].table
    assert all(getattr(after, name) == getattr(before, name) for name in LEARNED)
    (back,) = healths(partition.step(now + 6, [report(first=55.0)]))
    assert (back.status, back.since) == (EdgeStatus.OK, now + 6)
    assert partition.state["api"].table.first_rate[0] > 50.0


@pytest.mark.parametrize(
    ("batch", "status"),
    [
        (report(retries=25.0), EdgeStatus.AMPLIFIED),
        (report(retries=24.0), EdgeStatus.OK),
        (report(first=0.0, retries=30.0), EdgeStatus.AMPLIFIED),
        (report(ok=34.0), EdgeStatus.OVERLOADED),
        (report(ok=36.0), EdgeStatus.OK),
        (report(seconds=0.032), EdgeStatus.OVERLOADED),
        (report(seconds=0.027), EdgeStatus.OK),
        (report(queue_delay=0.021), EdgeStatus.OVERLOADED),
        (report(queue_delay=0.019), EdgeStatus.OK),
        (report(first=19.0, ok=0.0), EdgeStatus.OK),
    ],
)
def test_an_edge_is_judged_against_its_baseline(batch: TimingBatch, status: EdgeStatus) -> None:
    partition = Partition()
    now = trained(partition)
    partition.step(now + 1, [batch])
    assert STATUSES[partition.state["api"].table.status[0]] is status


def test_one_wild_window_teaches_no_more_than_double() -> None:
    partition = Partition()
    now = trained(partition)
    partition.step(now + 1, [report(first=5000.0)])
    assert partition.state["api"].table.first_rate[0] == pytest.approx(50.0 + 0.05 * 50.0)


def test_thin_traffic_teaches_in_proportion() -> None:
    partition = Partition()
    for second in range(1, 40):
        partition.step(START + second, [report(first=5.0)])
    seen = observations(partition.step(START + 41, [report(first=5.0)]))
    assert isnan(seen[0].base_p90[0])
    for second in range(42, 45):
        seen = observations(partition.step(START + second, [report(first=5.0)]))
    assert seen[0].base_first_rate[0] == pytest.approx(5.0)


def test_an_outage_of_a_quiet_edge_does_not_become_usual() -> None:
    partition = Partition()
    for second in range(1, 60):
        partition.step(START + second, [report(first=5.0)])
    before = partition.state["api"].table
    assert before.ok_ratio == (1.0,)
    for second in range(60, 90):
        partition.step(START + second, [report(first=5.0, ok=0.0)])
    after = partition.state["api"].table
    assert all(getattr(after, name) == getattr(before, name) for name in LEARNED)


def test_an_edge_without_calls_is_silent_and_later_forgotten() -> None:
    partition = Partition()
    now = trained(partition)
    assert partition.step(now + 9.9) == ()
    (silent,) = healths(partition.step(now + 10.0))
    assert (silent.status, silent.rate) == (EdgeStatus.SILENT, 0.0)
    assert isnan(silent.p90)
    assert partition.step(now + 11.0) == ()
    assert partition.step(now + 600.0) == ()
    assert partition.state == {}


def test_an_unchanged_edge_is_reported_every_two_seconds() -> None:
    partition = Partition()
    seen = [len(healths(partition.step(START + second, [report()]))) for second in range(1, 10)]
    assert seen == [0, 1, 0, 1, 0, 1, 0, 1, 0]


def test_ticks_with_nothing_due_are_empty() -> None:
    partition = Partition()
    now = trained(partition)
    tick = Batch(0, 0, 0, 1, now + 0.5, True, 0.0, partition.fold.decode([]).records)
    assert partition.fold.step(partition.state, tick).empty


def test_a_window_is_the_exact_sum_of_its_reports_in_any_batching() -> None:
    draw = Random(7)
    batches = [
        report(
            [draw.choice(["a", "b", "c"]) for _ in range(draw.randint(1, 5))],
            draw.choice(["x", "y"]),
            reporter=f"r{draw.randint(1, 3)}",
            first=float(draw.randint(1, 40)),
            retries=float(draw.randint(0, 9)),
            seconds=draw.uniform(0.001, 2.0),
        )
        for _ in range(60)
    ]
    whole, pieces = Partition(), Partition()
    whole.step(START, batches)
    for index in range(0, 60, 7):
        pieces.step(START, batches[index : index + 7])
    one, other = observations(whole.step(START + 1)), observations(pieces.step(START + 1))
    assert repr(one) == repr(other)
    assert sum(one[0].attempts) == sum(sum(batch.attempts) for batch in batches)


moves = st.lists(
    st.tuples(
        st.floats(0.0, 3.0),
        st.lists(
            st.builds(
                report,
                st.sampled_from(["a", "b"]),
                st.sampled_from(["api", "db"]),
                reporter=st.sampled_from(["r1", "r2"]),
                vantage=st.sampled_from(Vantage),
                first=st.integers(1, 60).map(float),
                retries=st.integers(0, 60).map(float),
                seconds=st.floats(0.0001, 100.0),
                queue_delay=st.floats(0.0, 0.1),
                urgent=st.booleans(),
            ),
            max_size=4,
        ),
    ),
    max_size=20,
)


@given(moves)
def test_a_fold_resumed_from_its_dumped_state_behaves_as_one_never_interrupted(
    script: list[tuple[float, list[TimingBatch]]],
) -> None:
    straight, resumed = Partition(), Partition(round_trip=True)
    now = START
    for wait, batches in script:
        now += wait
        assert repr(straight.step(now, batches)) == repr(resumed.step(now, batches))
    assert repr(straight.state) == repr(resumed.state)


def test_a_loaded_state_equals_the_dumped_one() -> None:
    partition = Partition()
    now = trained(partition)
    partition.step(now + 0.5, [report(retries=3.0), report("cron", ok=2.0)])
    value = partition.state["api"]
    assert repr(partition.fold.load(partition.fold.dump(value))) == repr(value)
    unlearned = replace(value, table=replace(value.table, p90=(nan, nan)))
    assert repr(partition.fold.load(partition.fold.dump(unlearned))) == repr(unlearned)


def test_state_with_one_edge_a_row_is_read() -> None:
    partition = Partition()
    trained(partition)
    value = partition.state["api"]
    edge = {
        "caller": value.table.caller[0],
        "baseline": {name: getattr(value.table, name)[0] for name in LEARNED},
        "status": STATUSES[value.table.status[0]],
        **{name: getattr(value.table, name)[0] for name in ("since", "reported", "last_seen")},
    }
    table, edges = b',"table":' + orjson.dumps(value.table), b'"edges":' + orjson.dumps([edge])
    raw = partition.fold.dump(value).replace(table, b"").replace(b'"edges":[]', edges)
    assert b"table" not in raw
    assert repr(partition.fold.load(raw)) == repr(value)


@given(st.floats(0.0, 1.0), st.one_of(st.just(nan), st.floats(0.001, 1.0)))
def test_level_1_takes_the_same_queue_for_long_as_level_2(delay: float, usual_p90: float) -> None:
    limits = Policy().edges
    sums = (50.0, 50.0, 50.0, 0.0, 0.0, 0.0, 0.0, 50.0 * delay)
    tally = Tally("web", Vantage.CALLEE, sums, (0.0, 0.0), 1.0, ("r",), (), ())
    windows = closed(regrouped([("api", tally)]))
    blank = {name: np.zeros(1) for name in ("status", "since", "reported", "last_seen")}
    known = {"first_rate": 50.0, "ok_ratio": 1.0, "p90": usual_p90, "weight": float(limits.learning_windows)}
    edges = {**blank, **{name: np.array([value]) for name, value in known.items()}}
    status = STATUSES[int(judged(edges, windows, np.ones(1, np.bool_), START, limits).edges["status"][0])]
    seen = float(windows.values["queue_delay_mean"][0])
    assert (status is EdgeStatus.OVERLOADED) == (seen > queue_limit(limits.queue_delay, usual_p90))


numbers = st.one_of(st.just(nan), st.floats(0.0, 1e6))


@given(st.lists(st.tuples(numbers, numbers, st.floats(0.0, 100.0), st.floats(0.0, 10.0)), min_size=1, max_size=5))
def test_baselines_learn_by_column_as_each_would_alone(rows: list[tuple[float, float, float, float]]) -> None:
    """The formula of one edge, written out."""
    limits = Policy().edges
    old, new, attempts, weight = (np.array(column) for column in zip(*rows, strict=True))
    known = {**dict.fromkeys(("first_rate", "ok_ratio", "p90"), old), "weight": weight}
    found = learned(known, first_rate=new, ok_ratio=new, p90=new, attempts=attempts, policy=limits)
    for number, (before, seen, calls, learning) in enumerate(rows):
        share = min(calls / limits.minimum_attempts, 1.0)
        believed = learning >= limits.learning_windows
        step = share * limits.learning_rate if believed else share / (learning + share) if share else 0.0
        bounded = min(max(seen, before / 2), before * 2) if believed else seen
        moved = seen if isnan(before) else before if isnan(seen) else before + step * (bounded - before)
        assert repr(float(found["p90"][number])) == repr(moved if share else before)
