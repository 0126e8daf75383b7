import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers import MemoryTransport, Node, Outcome, TimingRecorder, TransportStats, outcome_of
from snowshed.producers.inbound import serving
from snowshed.schemas.errors import ConfigurationError, Rejected
from snowshed.schemas.propagation import CallContext, attempt, use_context
from snowshed.schemas.records import TimingBatch, Vantage
from snowshed.schemas.sketch import bucket_of

_NODE = Node(name="shop-1", service="shop")


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _recorder(transport: MemoryTransport, **options: float) -> tuple[TimingRecorder, _Clock]:
    """A recorder whose window ends only when a test says so."""
    clock = _Clock()
    rows = int(options.pop("rows", 2_000))
    return TimingRecorder(_NODE, transport, rows=rows, clock=clock, **options), clock


def _batches(transport: MemoryTransport) -> list[TimingBatch]:
    return [sent.record for sent in transport.sent if isinstance(sent.record, TimingBatch)]


def _rows(batch: TimingBatch) -> dict[tuple[str, str, str], int]:
    names = [[batch.strings[int(i)] for i in column] for column in (batch.caller, batch.operation, batch.statement)]
    return {
        (caller, operation, statement): i for i, (caller, operation, statement) in enumerate(zip(*names, strict=True))
    }


def test_calls_are_counted_by_row_and_reported_once_per_callee() -> None:
    transport = MemoryTransport(TransportStats(lost=3))
    recorder, clock = _recorder(transport)
    recorder.observe("orders", "GET", 0.010)
    recorder.observe("orders", "GET", 0.030, attempt=1, in_flight=4)
    recorder.observe("orders", "POST", 0.020, queue_delay=0.5, outcome=Outcome.REJECTED)
    recorder.observe("users", "GET", 0.001)
    clock.now += 1.0
    recorder.flush()
    recorder.stop()
    orders, users = _batches(transport)
    assert [sent.key for sent in transport.sent] == ["orders", "users"]
    assert (orders.reporter, orders.service, orders.callee, orders.vantage) == (
        "shop-1",
        "shop",
        "orders",
        Vantage.CALLER,
    )
    assert (orders.window, orders.urgent, orders.lost) == (1.0, False, 3.0)
    get, post = _rows(orders)["shop", "GET", ""], _rows(orders)["shop", "POST", ""]
    assert (orders.first[get], orders.attempts[get], orders.ok[get], orders.in_flight_max[get]) == (1, 2, 2, 4)
    assert (orders.rejected[post], orders.ok[post], orders.queue_delay_sum[post]) == (1, 0, 0.5)
    assert orders.latency_sum[get] == pytest.approx(0.040)
    assert users.attempts == (1.0,)


def test_the_latency_columns_hold_each_rows_sketch() -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport)
    for seconds in (0.010, 0.010, 0.300):
        recorder.observe("orders", "GET", seconds)
    recorder.observe("orders", "POST", 0.020)
    recorder.stop()
    (batch,) = _batches(transport)
    assert batch.latency_end == (2.0, 3.0)
    assert batch.latency_bucket == (bucket_of(0.010), bucket_of(0.300), bucket_of(0.020))
    assert batch.latency_count == (2.0, 1.0, 1.0)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_each_outcome_has_its_column(outcome: Outcome) -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport)
    recorder.observe("orders", "GET", 0.01, outcome=outcome)
    recorder.stop()
    (batch,) = _batches(transport)
    columns = {
        Outcome.OK: batch.ok,
        Outcome.LOCAL: batch.error_local,
        Outcome.DOWNSTREAM: batch.error_downstream,
        Outcome.REJECTED: batch.rejected,
        Outcome.TIMEOUT: batch.timeout,
    }
    assert {name: column[0] for name, column in columns.items()} == {name: float(name is outcome) for name in Outcome}


def test_both_ends_of_an_edge_are_reported_apart() -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport)
    recorder.observe("shop", "GET", 0.01)
    recorder.observe("shop", "GET", 0.01, caller="web", vantage=Vantage.CALLEE)
    recorder.stop()
    assert {batch.vantage: next(iter(_rows(batch)))[0] for batch in _batches(transport)} == {
        Vantage.CALLER: "shop",
        Vantage.CALLEE: "web",
    }


def test_a_window_without_calls_reports_nothing() -> None:
    transport = MemoryTransport()
    recorder, clock = _recorder(transport)
    clock.now += 5.0
    recorder.tick()
    assert transport.sent == ()


def test_the_window_is_reported_when_it_ends_and_not_before() -> None:
    transport = MemoryTransport()
    recorder, clock = _recorder(transport, window=1.0)
    recorder.observe("orders", "GET", 0.01)
    clock.now += 0.75
    assert recorder.tick() == pytest.approx(0.25)
    assert transport.sent == ()
    clock.now += 0.25
    recorder.tick()
    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    ("ok", "failed", "retried", "urgent"),
    [(8, 2, 0, True), (9, 1, 0, False), (0, 9, 0, False), (7, 0, 3, True), (8, 0, 2, False), (41, 10, 0, False)],
)
def test_a_fifth_failed_or_three_tenths_retried_is_urgent(ok: int, failed: int, retried: int, *, urgent: bool) -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport)
    for _ in range(ok):
        recorder.observe("orders", "GET", 0.01)
    for _ in range(failed):
        recorder.observe("orders", "GET", 0.01, outcome=Outcome.LOCAL)
    for _ in range(retried):
        recorder.observe("orders", "GET", 0.01, attempt=1)
    recorder.stop()
    assert [batch.urgent for batch in _batches(transport)] == [urgent]


def test_an_anomaly_is_reported_after_a_quarter_of_a_second_and_marked() -> None:
    transport = MemoryTransport()
    recorder, clock = _recorder(transport)
    recorder.observe("users", "GET", 0.01)
    for _ in range(10):
        recorder.observe("orders", "GET", 0.01, outcome=Outcome.TIMEOUT)
    clock.now += 0.2
    assert recorder.tick() == pytest.approx(0.05)
    clock.now += 0.05
    recorder.tick()
    recorder.stop()
    assert {batch.callee: batch.urgent for batch in _batches(transport)} == {"users": False, "orders": True}


def test_an_anomaly_wakes_the_thread_long_before_the_window_ends() -> None:
    transport = MemoryTransport()
    recorder = TimingRecorder(_NODE, transport, window=3_600.0)
    for _ in range(10):
        recorder.observe("orders", "GET", 0.01, outcome=Outcome.LOCAL)
    transport.wait_for(1, timeout=10)
    assert _batches(transport)[0].urgent
    recorder.stop()


def test_rows_beyond_the_limit_share_one_and_nothing_is_lost() -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport, rows=10)
    for i in range(1_000):
        recorder.observe("orders", f"GET /{i}", 0.01, caller=f"caller-{i}", vantage=Vantage.CALLEE)
    for i in range(1_000):
        recorder.observe(f"service-{i}", "GET", 0.01)
    recorder.stop()
    batches = _batches(transport)
    assert sum(len(batch.attempts) for batch in batches) <= 12
    assert sum(sum(batch.attempts) for batch in batches) == 2_000
    assert ("other", "other", "") in _rows(batches[0])
    assert recorder.folded == 1_990


def test_the_three_slowest_calls_are_kept_with_their_evidence() -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport, slow_threshold=0.5)
    recorder.observe("orders", "GET", 0.4, evidence="quick")
    for seconds in (0.6, 0.9, 0.5, 2.0, 0.7):
        recorder.observe("orders", "POST", seconds, evidence=f"trace {seconds}", outcome=Outcome.TIMEOUT, attempt=2)
    recorder.stop()
    (batch,) = _batches(transport)
    assert [(slow.seconds, slow.evidence) for slow in batch.slow] == [
        (2.0, "trace 2.0"),
        (0.9, "trace 0.9"),
        (0.7, "trace 0.7"),
    ]
    assert {(slow.row, slow.outcome, slow.attempt) for slow in batch.slow} == {(1, "timeout", 2)}


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -0.1])
def test_an_impossible_duration_is_ignored(seconds: float) -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport)
    recorder.observe("orders", "GET", seconds)
    recorder.stop()
    assert transport.sent == ()


def test_a_call_that_raises_is_counted_by_its_error_and_the_error_is_passed_on() -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport)
    with pytest.raises(TimeoutError), recorder.call("orders", "GET"):
        raise TimeoutError
    recorder.stop()
    assert _batches(transport)[0].timeout == (1.0,)


async def test_calls_in_tasks_are_counted_together_with_how_many_ran_at_once() -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport)
    gate = asyncio.Barrier(5)

    async def work() -> None:
        async with recorder.call("orders", "GET"):
            await gate.wait()

    await asyncio.gather(*(work() for _ in range(5)))
    recorder.stop()
    (batch,) = _batches(transport)
    assert batch.attempts == batch.in_flight_max == (5.0,)


def test_a_call_that_hangs_shows_as_in_flight_in_every_window() -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport)
    call = recorder.call("orders", "GET").begin()
    recorder.flush()
    recorder.flush()
    call.end()
    call.end()
    recorder.flush()
    recorder.stop()
    assert [(batch.attempts, batch.in_flight_max) for batch in _batches(transport)] == [
        ((0.0,), (1.0,)),
        ((0.0,), (1.0,)),
        ((1.0,), (1.0,)),
    ]


def test_a_call_past_its_deadline_has_timed_out_even_with_an_answer() -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport)
    with use_context(CallContext(deadline=0.0)), recorder.call("orders", "GET"):
        pass
    recorder.stop()
    assert _batches(transport)[0].timeout == (1.0,)


def test_an_attempt_block_marks_the_calls_in_it_as_retries() -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport)
    for number in range(3):
        with attempt(number), recorder.call("orders", "GET"):
            pass
    recorder.stop()
    (batch,) = _batches(transport)
    assert (batch.first, batch.attempts) == ((1.0,), (3.0,))


def test_a_failed_call_is_remembered_by_the_request_it_was_made_for() -> None:
    recorder, _ = _recorder(MemoryTransport())
    with serving() as healthy:
        recorder.observe("orders", "GET", 0.01)
    with serving() as harmed:
        recorder.observe("orders", "GET", 0.01, outcome=Outcome.TIMEOUT)
    recorder.stop()
    assert (healthy.dependency_failed, harmed.dependency_failed) == (False, True)


def test_errors_are_told_apart_by_whose_they_are() -> None:
    rejected = Rejected("orders", "overloaded", retry_after=1.0)
    assert outcome_of(None) is Outcome.OK
    assert outcome_of(rejected) is Outcome.REJECTED
    assert outcome_of(TimeoutError()) is outcome_of(asyncio.CancelledError()) is Outcome.TIMEOUT
    assert outcome_of(ConnectionRefusedError()) is Outcome.LOCAL


@pytest.fixture
def busy_scheduler() -> Iterator[None]:
    """Makes the interpreter switch threads as often as it can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("busy_scheduler")
def test_threads_lose_no_count_while_windows_are_reported() -> None:
    transport = MemoryTransport()
    recorder = TimingRecorder(_NODE, transport, window=0.002)

    def work(name: str) -> None:
        for i in range(2_000):
            recorder.observe("orders", name, 0.001, attempt=i % 2)

    threads = [Thread(target=work, args=(f"op-{i % 3}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.stop()
    batches = _batches(transport)
    assert sum(sum(batch.attempts) for batch in batches) == 16_000
    assert sum(sum(batch.first) for batch in batches) == 8_000
    assert sum(sum(batch.latency_count) for batch in batches) == 16_000


_OBSERVATIONS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["GET", "POST", "PUT"]),
        st.floats(0, 200),
        st.sampled_from(Outcome),
        st.integers(0, 2),
    ),
    max_size=50,
)


@given(_OBSERVATIONS)
def test_every_call_is_in_exactly_one_row_one_outcome_and_one_bucket(
    observations: list[tuple[str, str, float, Outcome, int]],
) -> None:
    transport = MemoryTransport()
    recorder, _ = _recorder(transport)
    for callee, operation, seconds, outcome, number in observations:
        recorder.observe(callee, operation, seconds, outcome=outcome, attempt=number)
    recorder.stop()
    expected = Counter((callee, operation) for callee, operation, *_ in observations)
    found: Counter[tuple[str, str]] = Counter()
    for batch in _batches(transport):
        for (_, operation, _), i in _rows(batch).items():
            ended = (
                batch.ok[i] + batch.error_local[i] + batch.error_downstream[i] + batch.rejected[i] + batch.timeout[i]
            )
            start = int(batch.latency_end[i - 1]) if i else 0
            assert batch.attempts[i] == ended == sum(batch.latency_count[start : int(batch.latency_end[i])])
            found[batch.callee, operation] += int(batch.attempts[i])
    assert found == expected


def test_a_window_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="window"):
        TimingRecorder(_NODE, MemoryTransport(), window=0.0)
