"""A service that uses the public API as its documentation says; type checkers read it, nothing runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_type

from snowshed import producers
from snowshed.consumers import (
    Brake,
    DecisionView,
    Effective,
    Guard,
    GuardEvent,
    GuardStats,
    LocalBrakes,
    LocalStats,
    Outcome,
    Permit,
    Refusal,
    ReplicaRouter,
    WaitQueue,
    WaitQueueOptions,
)
from snowshed.consumers.around import AsyncStaleCache, Cached, RetryEvent, SingleFlight, hedging, retrying
from snowshed.consumers.testing import FakeClock, InMemoryView, decision, in_memory_view, set_decisions
from snowshed.producers import MemoryTransport, Node, ProducerSettings, Telemetry
from snowshed.producers.testing import Sent
from snowshed.schemas import (
    CATALOGUE,
    Codec,
    Decision,
    DecisionKind,
    Heartbeat,
    KafkaConnection,
    Rejected,
    Topics,
    TopicSpec,
    partition_for,
)
from snowshed.schemas.propagation import CallContext, Criticality, attempt, call_context

connection = KafkaConnection("127.0.0.1:9092", {"security.protocol": "SASL_SSL"})
assert_type(KafkaConnection.from_env(), KafkaConnection)

# Reporting

telemetry = producers.start("shop", connection=connection, pool=lambda: 0.5)
assert_type(telemetry, Telemetry)
assert_type(ProducerSettings.from_env("shop").this_node(), Node)
with telemetry.recorder.call("payments", "charge") as call:
    call.outcome = producers.Outcome.TIMEOUT
telemetry.recorder.observe("payments", "charge", 0.012, outcome=producers.Outcome.OK)

memory = MemoryTransport()
assert_type(memory.sent, Sequence[Sent])
with Telemetry(Node.here("shop"), memory) as tested:
    assert_type(tested.service, str)

# Obeying


def listen(event: GuardEvent) -> None:
    assert_type(event.refusal.brake, Brake)


view = DecisionView.connect(connection, prefix="snowshed")
guard = Guard("payments", view=view, caller="shop", local=LocalBrakes.for_callers(), on_event=listen)


@guard.protect
def charge(order: str, *, amount: float) -> bool:
    return amount > len(order)


@guard.protect
async def refund(order: str) -> int:
    return len(order)


assert_type(charge("order 7", amount=1.0), bool)


async def call_it() -> None:
    assert_type(await refund("order 7"), int)
    async with guard("refund", criticality=Criticality.SHEDDABLE) as permit:
        permit.dropped()


def retried(event: RetryEvent) -> None:
    assert_type(event.error, Exception)


@retrying(guard, on=ValueError, on_retry=retried)
def pay(order: str, *, amount: float) -> bool:
    return amount > len(order)


@retrying(guard)
@hedging(guard)
async def look_up(order: str) -> int:
    return len(order)


stale_cache = AsyncStaleCache[str, int](guard, ttl=1.0, bound=60.0)
flights = SingleFlight[str, bool]("payments")


async def call_around() -> None:
    assert_type(pay("order 7", amount=1.0), bool)
    assert_type(await look_up("order 7"), int)
    assert_type(await stale_cache.get("order 7", lambda: look_up("order 7")), Cached[int])
    assert_type(flights.call("order 7", lambda: pay("order 7", amount=1.0)), bool)


def call_by_hand() -> float:
    answer = guard.try_admit("charge", attempt=1)
    if isinstance(answer, Permit):
        answer.succeeded()
        return 0.0
    assert_type(answer, Refusal)
    return answer.retry_after


try:
    with guard("charge") as one, attempt(1) as context:
        one.ignored()
        assert_type(context, CallContext)
        assert_type(call_context().remaining(0.0), float | None)
except Rejected as refused:
    assert_type(refused.retry_after, float)

assert_type(guard.stats, GuardStats)
assert_type(guard.stats.outcomes, dict[Outcome, int])
assert_type(guard.effective, Effective)
assert_type(guard.retry_allowed(2), bool)
assert_type(guard.stats.local, LocalStats)
assert_type(guard.cursor, int)

queue = WaitQueue(guard, concurrency=8, options=WaitQueueOptions(capacity=100))
with queue.enter("charge", tenant="acme") as waited_for:
    assert_type(waited_for, Permit)
    assert_type(waited_for.timeout, float | None)


async def wait_in_line() -> None:
    async with queue.enter("refund") as permit:
        permit.refused()
        assert_type(permit, Permit)


router = ReplicaRouter("orders", {"primary": 5432, "r1": 5433}, primary="primary", view=view, on_unknown="primary")
assert_type(router.choose(max_staleness=0.5), int)
assert_type(router.choose_name(), str)

# Testing

clock = FakeClock()
assert_type(in_memory_view(decision("payments", DecisionKind.RETRY, retry_budget=0.1), clock=clock), InMemoryView)
with set_decisions(guard, decision("payments", DecisionKind.RATE, rate_multiplier=0.5)) as held:
    held.lose_contact()

# Records and topics

codec = Codec()
assert_type(Topics("fleet", partitions=4).full("decisions"), str)
assert_type(CATALOGUE, tuple[TopicSpec, ...])
assert_type(partition_for(b"shop-1", 8), int)
record = codec.decode(b"")
if isinstance(record, Decision):
    assert_type(record.retry_budget, float | None)
elif isinstance(record, Heartbeat):
    assert_type(record.sent_at, float)
