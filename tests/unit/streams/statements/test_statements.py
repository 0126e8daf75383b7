"""Statements by fingerprint: what each costs, and which have changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isnan
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers import MemoryTransport, Node, Outcome, TimingRecorder
from snowshed.schemas.codec import Codec
from snowshed.schemas.records import StatementHealth, TimingBatch, Vantage
from snowshed.schemas.sketch import RELATIVE_ERROR, bucket_of, value_of
from snowshed.streams.edges import CalleeState, TimingFold
from snowshed.streams.folding import Batch, Message
from snowshed.streams.policy import Policy, StatementPolicy
from snowshed.streams.statements import Book, StatementTally, changed_during, collected, health, is_due, judged

CODEC = Codec()
START = 1_700_000_000.0
LIMITS = StatementPolicy()


@dataclass(frozen=True)
class Load:
    """Calls per second and the latency of each, of one statement."""

    rate: float
    seconds: float


USUAL: Mapping[str, Load] = {
    "read": Load(50, 0.004),
    "list": Load(20, 0.01),
    "write": Load(10, 0.02),
    "count": Load(5, 0.03),
    "touch": Load(30, 0.002),
}


def tally(
    statement: str,
    calls: float,
    seconds: float,
    *,
    vantage: Vantage = Vantage.CALLER,
    failed: float = 0.0,
    spread: Iterable[float] = (),
) -> StatementTally:
    counts: dict[int, float] = {}
    latencies = [seconds * factor for factor in spread] or [seconds]
    for latency in latencies:
        bucket = bucket_of(latency)
        counts[bucket] = counts.get(bucket, 0.0) + calls / len(latencies)
    buckets = tuple(sorted(counts))
    return StatementTally(
        statement=statement,
        operation="SELECT",
        vantage=vantage,
        calls=calls,
        failed=failed,
        seconds=calls * sum(latencies) / len(latencies),
        buckets=buckets,
        counts=tuple(counts[bucket] for bucket in buckets),
    )


class Database:
    """Windows of ten seconds, one after the other."""

    def __init__(self, seed: int = 1, policy: StatementPolicy = LIMITS) -> None:
        self.policy = policy
        self.now = START
        self.book = Book(opened=START)
        self.random = Random(seed)
        self.seen: StatementHealth | None = None

    def window(self, loads: Mapping[str, Load], *, calm: bool = True) -> StatementHealth:
        found = [
            tally(
                name,
                max(round(self.random.gauss(load.rate * 10, (load.rate * 10) ** 0.5)), 1),
                load.seconds,
                spread=[self.random.lognormvariate(0.0, 0.5) for _ in range(50)],
            )
            for name, load in loads.items()
        ]
        self.book = collected(self.book, found, self.now + 5.0, self.policy)
        self.now += 10.0
        assert is_due(self.book, self.now, self.policy)
        self.book, window = judged(self.book, self.now, calm, self.policy)
        self.seen = health(domain="data", callee="db", book=self.book, window=window, now=self.now, detector_lag=0.0)
        return self.seen

    def windows(self, count: int, loads: Mapping[str, Load] = USUAL, *, calm: bool = True) -> dict[str, str]:
        """The changes reported in these windows, by statement."""
        found: dict[str, str] = {}
        for _ in range(count):
            found |= changes(self.window(loads, calm=calm))
        return found


def changes(record: StatementHealth) -> dict[str, str]:
    return {name: kind for name, kind in zip(record.statement, record.change, strict=True) if kind}


def row(record: StatementHealth, statement: str) -> dict[str, Any]:
    index = record.statement.index(statement)
    columns = {name: getattr(record, name) for name in StatementHealth.__slots__}
    return {name: value[index] for name, value in columns.items() if isinstance(value, tuple)}


def trained(seed: int = 1, windows: int = 30) -> Database:
    database = Database(seed)
    assert database.windows(windows) == {}
    return database


def slower(statement: str, factor: float, loads: Mapping[str, Load] = USUAL) -> dict[str, Load]:
    return {**loads, statement: replace(loads[statement], seconds=loads[statement].seconds * factor)}


def test_statements_stand_in_the_order_of_the_time_they_take_with_what_they_cost() -> None:
    database = Database()
    found = [tally("cheap", 1000, 0.0002), tally("dear", 10, 0.1, failed=5), tally("middle", 40, 0.01, spread=(1, 9))]
    database.book, window = judged(collected(database.book, found, START, LIMITS), START + 10, True, LIMITS)
    record = health(domain="d", callee="db", book=database.book, window=window, now=START + 10, detector_lag=0.5)
    assert record.statement == ("middle", "dear", "cheap")
    assert record.calls == 1050
    assert record.seconds == pytest.approx(3.2)
    assert sum(record.share) == pytest.approx(1.0)
    dear = row(record, "dear")
    assert (dear["rate"], dear["errors"], dear["mean"]) == (1.0, 0.5, pytest.approx(0.1))
    middle = row(record, "middle")
    assert middle["p90"] == pytest.approx(0.09, rel=RELATIVE_ERROR)
    assert middle["operation"] == "SELECT"
    assert isnan(middle["usual_share"])


def test_a_statement_that_slows_down_alone_is_reported_with_its_onset_before_and_after() -> None:
    database = trained()
    onset = database.now
    assert database.windows(3, slower("read", 10)) == {"read": "latency"}
    assert database.seen
    read = row(database.seen, "read")
    assert read["onset"] == pytest.approx(onset, abs=10.0)
    assert read["before"] == pytest.approx(0.004, rel=0.3)
    assert read["after"] == pytest.approx(0.04, rel=0.3)
    assert read["usual_share"] < read["share"]


def test_a_database_on_which_all_is_slower_has_no_statement_that_changed() -> None:
    database = trained()
    loads = {name: replace(load, seconds=load.seconds * 5) for name, load in USUAL.items()}
    assert database.windows(20, loads, calm=False) == {}


def test_one_statement_stands_out_of_a_database_on_which_all_is_slower() -> None:
    database = trained()
    loads = slower("write", 8, {name: replace(load, seconds=load.seconds * 2) for name, load in USUAL.items()})
    assert database.windows(5, loads, calm=False) == {"write": "latency"}


def test_with_too_few_others_every_slow_statement_is_reported() -> None:
    database = Database()
    few = {name: USUAL[name] for name in ("read", "write")}
    database.windows(30, few)
    loads = {name: replace(load, seconds=load.seconds * 5) for name, load in few.items()}
    assert database.windows(5, loads) == {"read": "latency", "write": "latency"}


def test_a_statement_that_runs_more_often_is_a_change_of_volume_and_more_demand_is_none() -> None:
    database = trained()
    busier = {name: replace(load, rate=load.rate * 4) for name, load in USUAL.items()}
    assert database.windows(5, busier) == {}
    database = trained()
    assert database.windows(4, {**USUAL, "list": Load(200, 0.01)}) == {"list": "volume"}
    assert database.seen
    changed = row(database.seen, "list")
    assert changed["before"] == pytest.approx(20, rel=0.3)
    assert changed["after"] == pytest.approx(200, rel=0.3)


def test_a_new_statement_is_reported_where_it_at_once_takes_a_tenth_of_the_time() -> None:
    database = trained()
    assert database.windows(1, {**USUAL, "small": Load(1, 0.01)}) == {}
    assert database.windows(1, {**USUAL, "report": Load(1, 0.5)}) == {"report": "new"}
    assert database.seen
    assert row(database.seen, "report")["onset"] == database.now - 10.0


def test_at_the_beginning_no_statement_is_new() -> None:
    assert Database().windows(5, {"report": Load(1, 0.5)}) == {}


def test_a_change_ends_after_three_usual_windows() -> None:
    database = trained()
    database.windows(6, slower("read", 10))
    assert changes(database.window(USUAL)) == {"read": "latency"}
    database.windows(2)
    assert changes(database.window(USUAL)) == {}


def test_a_change_that_stays_for_an_hour_is_the_usual_and_is_learned_anew() -> None:
    database = trained()
    loads = slower("read", 10)
    assert database.windows(300, loads) == {"read": "latency"}
    assert changes(database.window(loads)) == {"read": "latency"}
    database.windows(70, loads)
    assert database.windows(30, loads) == {}
    assert database.windows(4, slower("read", 10, loads)) == {"read": "latency"}


def test_a_new_statement_is_new_for_an_hour_and_is_learned_meanwhile() -> None:
    database = trained()
    loads = {**USUAL, "report": Load(5, 0.5)}
    assert database.windows(30, loads) == {"report": "new"}
    assert database.windows(340, loads) == {"report": "new"}
    assert changes(database.window(loads)) == {}
    assert database.windows(5, slower("report", 5, loads)) == {"report": "latency"}


def test_nothing_is_learned_while_the_database_is_in_trouble() -> None:
    database = trained()
    before = {one.statement: one.latency for one in database.book.known}
    database.windows(200, {name: replace(load, seconds=load.seconds * 3) for name, load in USUAL.items()}, calm=False)
    assert {one.statement: one.latency for one in database.book.known} == before


def test_what_hardly_takes_time_is_not_reported() -> None:
    database = Database()
    loads = {**USUAL, "tiny": Load(1, 0.0001)}
    database.windows(30, loads)
    assert database.windows(10, slower("tiny", 20, loads)) == {}


@pytest.mark.parametrize("seed", range(10))
def test_hours_in_which_nothing_happens_bring_no_report(seed: int) -> None:
    assert Database(seed).windows(720) == {}


def test_memory_is_bounded_and_no_time_is_lost() -> None:
    policy = StatementPolicy(top=5)
    book = Book(opened=START)
    for number in range(200):
        book = collected(book, [tally(f"s{number}", 1, 0.01 * (number + 1))], START, policy)
        assert len(book.open) <= 20
    total = sum(one.seconds for one in book.open)
    assert total == pytest.approx(sum(0.01 * (number + 1) for number in range(200)))
    book, window = judged(book, START + 10, True, policy)
    assert [one.statement for one in book.known] == ["s199", "s198", "s197", "s196", "s195"]
    assert window.calls == 200


def test_a_statement_that_both_ends_report_counts_once_as_its_callers_saw_it() -> None:
    book = collected(None, [tally("read", 30, 0.02), tally("read", 40, 0.01, vantage=Vantage.CALLEE)], START, LIMITS)
    book = collected(book, [tally("vacuum", 1, 1.0, vantage=Vantage.CALLEE)], START + 1, LIMITS)
    _, window = judged(book, START + 10, True, LIMITS)
    assert {name: view.calls for name, view in window.views.items()} == {"read": 30, "vacuum": 1}


def test_a_pause_of_the_database_does_not_thin_its_rates() -> None:
    book, _ = judged(collected(None, [tally("read", 100, 0.01)], START, LIMITS), START + 10, True, LIMITS)
    book = collected(book, [tally("read", 100, 0.01)], START + 500, LIMITS)
    assert not is_due(book, START + 509.9, LIMITS)
    _, window = judged(book, START + 510, True, LIMITS)
    assert window.span == 10.0


def test_a_statement_that_did_not_run_keeps_its_row_without_figures() -> None:
    database = trained()
    record = database.window({"read": USUAL["read"]})
    quiet = row(record, "write")
    assert (quiet["rate"], quiet["share"]) == (0.0, 0.0)
    assert all(isnan(quiet[name]) for name in ("mean", "p90", "p99", "errors"))


def test_changes_of_a_time_are_told_in_the_order_of_their_onset() -> None:
    database = trained()
    database.windows(3, {**slower("read", 10), "report": Load(2, 0.5)})
    assert database.seen
    (told, other) = changed_during(database.seen, START, database.now)
    assert "never seen before" in told + other
    assert "SELECT read takes" in told + other
    assert changed_during(database.seen, 0.0, START) == []


# The fold


def fold_step(
    fold: TimingFold, state: dict[str, CalleeState], now: float, batches: Iterable[TimingBatch]
) -> list[StatementHealth]:
    decoded = fold.decode([Message(0, now, None, CODEC.encode(batch)) for batch in batches])
    assert decoded.rejects == ()
    step = fold.step(state, Batch(2, 0, 0, 1, now, True, 0.25, decoded.records))
    for key, value in step.changes.items():
        assert value is not None
        state[key] = fold.load(fold.dump(value))
        assert fold.dump(state[key]) == fold.dump(value)
    return [one.record for one in step.emissions if isinstance(one.record, StatementHealth)]


def recorded(calls: Mapping[tuple[str, str], int], seconds: float = 0.01) -> list[TimingBatch]:
    """What a service reports of calls by callee and statement."""
    transport = MemoryTransport()
    recorder = TimingRecorder(Node.here("shop"), transport)
    for (callee, statement), count in calls.items():
        for number in range(count):
            outcome = Outcome.LOCAL if number % 10 == 9 else Outcome.OK
            recorder.observe(callee, "SELECT", seconds, statement=statement, outcome=outcome)
    recorder.stop()
    return [sent.record for sent in transport.sent if isinstance(sent.record, TimingBatch)]


def test_a_service_s_statements_come_out_of_level_1_by_database() -> None:
    fold, state = TimingFold(Policy()), dict[str, CalleeState]()
    calls = {("orders-db", "aa"): 20, ("orders-db", "bb"): 10, ("orders-db", ""): 10, ("api", ""): 30}
    for second in range(10):
        assert fold_step(fold, state, START + second, recorded(calls)) == []
    (record,) = fold_step(fold, state, START + 10, ())
    assert (record.callee, record.statement, record.operation) == ("orders-db", ("aa", "bb"), ("SELECT", "SELECT"))
    assert (record.rate, record.calls) == ((20.0, 10.0), 400.0)
    assert record.share == pytest.approx((0.5, 0.25))
    assert record.errors == pytest.approx((0.1, 0.1))
    assert record.detector_lag == 0.25
    assert CODEC.decode(CODEC.encode(record)) is not None
    assert state["api"].statements is None


def test_state_from_before_there_were_statements_is_read() -> None:
    fold, state = TimingFold(Policy()), dict[str, CalleeState]()
    fold_step(fold, state, START, recorded({("api", ""): 30}))
    raw = fold.dump(state["api"]).replace(b',"statements":null', b"")
    assert b"statements" not in raw
    assert fold.load(raw) == state["api"]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.integers(0, 200)), max_size=30), st.integers(0, 30)
)
def test_how_a_window_s_tallies_are_cut_into_batches_does_not_matter(
    found: list[tuple[str, int, int]], cut: int
) -> None:
    tallies = [tally(name, calls, value_of(bucket)) for name, calls, bucket in found]
    whole = collected(None, tallies, START, LIMITS)
    parts = collected(collected(None, tallies[:cut], START, LIMITS), tallies[cut:], START, LIMITS)
    assert whole == parts
