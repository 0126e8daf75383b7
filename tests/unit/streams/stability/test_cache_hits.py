"""A cache's hits, from the recorder to the verdict."""

from __future__ import annotations

from math import isnan, nan

import pytest

from snowshed.producers import MemoryTransport, Node, TimingRecorder
from snowshed.schemas.codec import Codec
from snowshed.schemas.records import EdgeObservations, TimingBatch
from snowshed.streams.cascade.observations import Place
from snowshed.streams.cascade.standing import Standing, stood
from snowshed.streams.cascade.views import EdgeView
from snowshed.streams.edges import CalleeState, TimingFold
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.folding import Batch, Message
from snowshed.streams.policy import Policy
from snowshed.streams.stability.course import Effect, Verdict

CODEC = Codec()
POLICY = Policy()
START = 1_700_000_000.0


def batches(recorder: TimingRecorder, transport: MemoryTransport) -> list[TimingBatch]:
    """What the recorder reports now."""
    before = len(transport.sent)
    recorder.flush()
    return [one.record for one in transport.sent[before:] if isinstance(one.record, TimingBatch)]


def test_from_the_first_hit_on_a_callee_s_reports_say_how_many_there_were() -> None:
    transport = MemoryTransport()
    recorder = TimingRecorder(Node.here("shop"), transport)
    recorder.observe("db", "SELECT", 0.01)
    (before,) = batches(recorder, transport)
    recorder.observe("db", "SELECT", 0.01)
    recorder.hit("db", "SELECT", count=3)
    recorder.observe("api", "GET", 0.01)
    warm, other = sorted(batches(recorder, transport), key=lambda batch: batch.callee, reverse=True)
    recorder.observe("db", "SELECT", 0.01)
    (cold,) = batches(recorder, transport)
    recorder.stop()
    assert [before.cache_hits, warm.cache_hits, other.cache_hits, cold.cache_hits] == [(), (3.0,), (), (0.0,)]


def test_level_1_adds_the_hits_of_those_who_count_them() -> None:
    fold, state = TimingFold(POLICY), dict[str, CalleeState]()
    transport = MemoryTransport()
    cached, plain = (TimingRecorder(Node.here(name), transport) for name in ("shop", "admin"))
    for operation in ("SELECT", "UPDATE"):
        cached.hit("db", operation, count=20)
    cached.observe("db", "SELECT", 0.01)
    plain.observe("db", "SELECT", 0.01)
    sent = batches(cached, transport) + batches(plain, transport)
    cached.stop()
    plain.stop()
    found: list[EdgeObservations] = []
    for now, values in ((START, sent), (START + 0.5, sent), (START + 1.0, [])):
        decoded = fold.decode([Message(0, now, None, CODEC.encode(batch)) for batch in values])
        step = fold.step(state, Batch(0, 0, 0, 1, now, True, 0.0, decoded.records))
        state |= {key: fold.load(fold.dump(value)) for key, value in step.changes.items() if value is not None}
        found += [one.record for one in step.emissions if isinstance(one.record, EdgeObservations)]
    (seen,) = found
    hits = {seen.strings[int(caller)]: count for caller, count in zip(seen.caller, seen.cache_hits, strict=True)}
    assert hits["shop"] == 80.0
    assert isnan(hits["admin"])


def window(at: float, *, first: float, hits: float, ok: float, completions: float = 100.0) -> list[EdgeView]:
    edge = EdgeWindow(
        caller="shop",
        callee="db",
        span=1.0,
        reporters=1.0,
        first=first,
        attempts=first,
        ok=ok,
        error_local=0.0,
        error_downstream=0.0,
        rejected=0.0,
        timeout=first - ok,
        in_flight_max=1.0,
        queue_delay_mean=0.0,
        queue_delay_max=0.0,
        p50=0.01,
        p90=0.01,
        p99=0.01,
        completions=completions,
        cache_hits=hits,
    )
    return [EdgeView(domain="default", observed_at=at, window=edge, baseline=Baseline(), place=Place(0, 0))]


def _nobody(caller: str) -> None:
    del caller  # nobody who calls is called


def warm(seconds: int = 20) -> Standing:
    standing: Standing | None = None
    for second in range(seconds):
        edges = window(START + second, first=100.0, hits=900.0 + second % 3, ok=100.0)
        standing = stood(standing, edges, _nobody, POLICY, frozen=False)
    assert standing
    return standing


def gone_on(standing: Standing, *, first: float, hits: float, ok: float, completions: float = 100.0) -> Standing:
    for second in range(15):
        edges = window(START + 20 + second, first=first, hits=hits, ok=ok, completions=completions)
        standing = stood(standing, edges, _nobody, POLICY, frozen=True)
    return standing


def test_a_cache_that_lost_its_content_is_found_by_its_hits() -> None:
    judgement = gone_on(warm(), first=1000.0, hits=0.0, ok=10.0, completions=150.0).judgement
    assert (judgement.verdict, judgement.effect) == (Verdict.METASTABLE, Effect.COLD_CACHE)


def test_more_requests_with_the_usual_share_of_hits_are_demand_and_no_cold_cache() -> None:
    judgement = gone_on(warm(), first=1000.0, hits=9000.0, ok=10.0, completions=150.0).judgement
    assert judgement.verdict is Verdict.TRIGGERED
    assert judgement.effect is not Effect.COLD_CACHE


@pytest.mark.parametrize("hits", [900.0, nan])
def test_a_warm_cache_is_no_trouble_whether_or_not_a_window_counts_hits(hits: float) -> None:
    assert gone_on(warm(), first=100.0, hits=hits, ok=100.0).judgement.verdict is Verdict.STABLE
