"""What docs/tutorial.md does, on real servers and real processes, from the fault to the enforced decision and back."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.core_rig import wait_until
from tests.support.fleet import Fleet, Running
from tests.support.postgres import PostgresPair

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Decision, Incident
from snowshed.streams.agents.folds import folds
from snowshed.streams.broker import Broker
from snowshed.streams.policy import Policy
from snowshed.streams.replay import Recorded, Recording, replay
from snowshed.streams.replay.capture import capture, captured_topics

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


@pytest.fixture
def fleet(kafka: Broker, prefix: str, tmp_path: Path) -> Generator[Fleet]:
    with Fleet(kafka.bootstrap, prefix, tmp_path) as fleet:
        yield fleet


def incidents(worker: Running, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = worker.get("/api/world")["incidents"]
    return [incident for incident in found if incident["kind"] == kind]


def statuses(worker: Running) -> dict[str, str]:
    return {node["node"]: node["status"] for node in worker.get("/api/world")["nodes"]}


def is_open(worker: Running, kind: str) -> Callable[[], bool]:
    return lambda: any(incident["status"] == "open" for incident in incidents(worker, kind))


def is_closed(worker: Running, kind: str) -> Callable[[], bool]:
    return lambda: bool(found := incidents(worker, kind)) and all(one["status"] == "closed" for one in found)


def is_left_alone(shop: Running) -> Callable[[], bool]:
    def looked() -> bool:
        time.sleep(0.5)  # asked fifty times a second, the small shop has work enough to count as overloaded for longer
        return bool(shop.get("/status")["decisions"] == [])

    return looked


def explanation(shop: Running) -> Callable[[], object]:
    return lambda: shop.get("/status")["explanation"]


def replays_exactly(fleet: Fleet) -> tuple[list[Decision], list[Incident]]:
    """Fold everything that was committed once more; what was decided, once each batch has proved to be the same."""
    names = ["decisions", "incidents", *captured_topics()]
    records = tuple(capture(fleet.connection, fleet.topics, names))
    partitions = {name: fleet.topics.partitions(name) for name in names}
    result = replay(Recording(partitions, records), folds(Policy(), Codec()), fleet.topics, Codec())
    assert result.differences == ()
    assert result.verified == result.batches > 0
    assert result.dead_letters == ()
    written = [record for record in records if record.topic in {"decisions", "incidents"}]
    assert_nothing_is_decided_twice(written, result.decisions)
    return list(result.decisions), list(result.incidents)


def assert_nothing_is_decided_twice(written: list[Recorded], expected: tuple[Decision, ...]) -> None:
    decisions = [record for one in written if isinstance(record := Codec().decode(one.message.value), Decision)]
    ids = [decision.decision_id for decision in decisions]
    assert len(ids) == len(set(ids))
    assert set(ids) <= {decision.decision_id for decision in expected}
    latest: dict[tuple[str, str], int] = {}
    for decision in decisions:
        key = (decision.scope, decision.kind.value)
        assert decision.seq > latest.get(key, 0), f"{key} went from {latest.get(key)} to {decision.seq}"
        latest[key] = decision.seq


def test_a_replica_that_falls_behind_loses_its_reads_until_it_has_caught_up(
    fleet: Fleet, postgres_pair: PostgresPair
) -> None:
    worker = fleet.worker()
    postgres_pair.pgbench(seconds=1, scale=1)
    primary, replica = postgres_pair.primary_dsn, postgres_pair.replica_dsn
    fleet.agent("--postgres", f"orders={primary}", "--replica", f"orders/r1={replica}")
    shop = fleet.shop(primary=primary, replica=replica)
    wait_until(lambda: any(lag["replica"] == "r1" for lag in worker.get("/api/world")["lag"]), what="lag is known")
    assert shop.get("/status")["reads"] == "r1"

    postgres_pair.pause_replay()
    try:
        wait_until(lambda: shop.get("/status")["reads"] == "primary", what="reads go to the primary")
        wait_until(is_open(worker, "replica_lag"), 5, what="the incident is on the page")
        [lag] = [lag for lag in worker.get("/api/world")["lag"] if lag["replica"] == "r1"]
        assert lag["status"] == "behind"
        assert lag["slo"] < lag["low"] <= lag["high"]
        assert shop.get("/count")["accounts"] == 100_000
    finally:
        postgres_pair.resume_replay()

    wait_until(is_closed(worker, "replica_lag"), what="the incident closes")
    wait_until(lambda: shop.get("/status")["reads"] == "r1", what="reads go to the replica again")
    replays_exactly(fleet)


def test_a_retry_storm_is_cut_back_enforced_and_lifted_after_recovery(fleet: Fleet) -> None:
    worker, shop = fleet.worker(), fleet.shop()
    fleet.flood(shop, rate=60)
    time.sleep(15)  # the normal traffic that baselines are learned from
    assert worker.get("/api/world")["incidents"] == []

    httpx.post(f"{shop.url}/work?seconds=1.0")
    wait_until(lambda: shop.get("/status")["retry_budget"] == 0.05, 15, what="the retry budget is cut")
    wait_until(lambda: shop.get("/status")["rejected"].get("retry", 0) > 0, 15, what="retries are refused")
    wait_until(is_open(worker, "retry_amplification"), 5, what="the incident is on the page")
    # The budget gets its chance first: shedding begins once about ten seconds of full goodput have been lost.
    wait_until(lambda: shop.get("/status")["rate_limited"], 60, what="the rate is limited", found=explanation(shop))
    wait_until(lambda: shop.get("/status")["rejected"].get("rate", 0) > 0, 15, what="calls over the rate are refused")

    httpx.post(f"{shop.url}/work?seconds=0.01")
    wait_until(is_closed(worker, "retry_amplification"), 120, what="the amplification ends")
    wait_until(is_left_alone(shop), 180, what="all decisions are lifted", found=explanation(shop))
    before = shop.get("/status")["rejected"]
    time.sleep(3)
    assert shop.get("/status")["rejected"] == before
    decisions, _ = replays_exactly(fleet)
    assert {decision.kind.value for decision in decisions} >= {"retry", "rate"}


def test_a_killed_service_is_convicted_and_a_killed_worker_replaced(fleet: Fleet) -> None:
    workers = [fleet.worker("worker-a"), fleet.worker("worker-b")]
    shop = fleet.shop(node="shop-1")
    wait_until(lambda: len(workers[0].get("/api/world")["nodes"]) == 1, what="the shop's node is known")
    shop.kill()
    wait_until(is_open(workers[1], "node_failed"), 15, what="the dead node is convicted")

    workers[0].kill()
    successor = fleet.shop(node="shop-2")
    wait_until(
        lambda: statuses(workers[1]).get("shop-2") == "alive", 30, what="the survivor judges what the dead worker held"
    )
    successor.kill()
    wait_until(
        lambda: sum(one["status"] == "open" for one in incidents(workers[1], "node_failed")) == 2,
        30,
        what="the second dead node is convicted by the survivor",
    )
    _, opened = replays_exactly(fleet)
    assert sorted(incident.subject for incident in opened) == ["shop-1", "shop-2"]
