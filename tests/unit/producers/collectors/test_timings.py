from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers.collectors.base import CallTiming, CallTimings
from snowshed.producers.collectors.timings import timing_batch
from snowshed.schemas.codec import Codec
from snowshed.schemas.records import TimingBatch, Vantage
from snowshed.schemas.sketch import RELATIVE_ERROR, value_of

_LATENCIES = st.lists(st.tuples(st.floats(1e-4, 60), st.integers(1, 10_000)), min_size=1, max_size=3)
_CALLS = st.builds(
    CallTiming,
    caller=st.sampled_from(["shop", "billing"]),
    operation=st.sampled_from(["SELECT", "INSERT", ""]),
    statement=st.sampled_from(["", "ab12", "cd34"]),
    latencies=_LATENCIES.map(tuple),
)


def _batch(calls: tuple[CallTiming, ...]) -> TimingBatch:
    timings = CallTimings(callee="orders", window_start=100.0, window=1.0, calls=calls)
    return timing_batch(timings, reporter="host@a", service="host", sent_at=101.5, lost=3.0)


@given(st.lists(_CALLS, max_size=5).map(tuple))
def test_every_row_says_who_called_what_how_often_and_how_long(calls: tuple[CallTiming, ...]) -> None:
    batch = _batch(calls)
    for row, call in enumerate(calls):
        assert batch.strings[int(batch.caller[row])] == call.caller
        assert batch.strings[int(batch.operation[row])] == call.operation
        assert batch.strings[int(batch.statement[row])] == call.statement
        count = sum(number for _, number in call.latencies)
        assert batch.first[row] == batch.attempts[row] == batch.ok[row] == count
        assert batch.latency_sum[row] == pytest.approx(sum(seconds * number for seconds, number in call.latencies))


@given(st.lists(_CALLS, min_size=1, max_size=5).map(tuple))
def test_every_row_owns_its_slice_of_the_sketches(calls: tuple[CallTiming, ...]) -> None:
    batch = _batch(calls)
    start = 0
    for row, call in enumerate(calls):
        end = int(batch.latency_end[row])
        values = [value_of(int(bucket)) for bucket in batch.latency_bucket[start:end]]
        assert sum(batch.latency_count[start:end]) == sum(number for _, number in call.latencies)
        for seconds, _ in call.latencies:
            assert any(abs(value - seconds) <= seconds * RELATIVE_ERROR * 1.001 for value in values)
        start = end
    assert start == len(batch.latency_bucket)


def test_a_batch_is_the_callees_own_view_and_survives_the_wire() -> None:
    batch = _batch((CallTiming(caller="shop", operation="SELECT", statement="ab12", latencies=((0.01, 5),)),))
    assert batch.vantage is Vantage.CALLEE
    assert (batch.callee, batch.reporter, batch.service, batch.lost) == ("orders", "host@a", "host", 3.0)
    decoded = Codec().decode(Codec().encode(batch))
    assert isinstance(decoded, TimingBatch)
    assert decoded.strings == batch.strings
    assert decoded.latency_end == batch.latency_end
