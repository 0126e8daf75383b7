"""From a fault in a real process to the decision that another process obeys, wall time, over whole loops."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage
from tests.support.fleet import Fleet, Running
from tests.support.postgres import PostgresPair

from snowshed.streams.policy import Policy

__all__ = ["run"]

_RUNS = 20
_CALM_SECONDS = 14.0
"""Traffic before the fault: ten windows teach a baseline."""
_PATIENCE = 30.0
_LOOK_SECONDS = 0.02


def run(stage: Stage) -> Section:
    """Retry storms, a replica that stops replaying, and processes that die, each on one running worker."""
    runs = stage.pick(_RUNS, 2)
    folder = stage.folder / "reaction"
    folder.mkdir()
    with Fleet(stage.broker.bootstrap, stage.unique("reaction"), folder) as fleet, PostgresPair() as pair:
        worker = fleet.worker()
        storms = [_storm(fleet, number) for number in range(runs)]
        pauses = _pauses(fleet, pair, runs)
        deaths = [_death(fleet, worker, number) for number in range(runs)]
    slo = Policy().slo_of("orders")
    return Section(
        "reaction",
        "The tutorial's processes: a guarded service, its client, a host agent, PostgreSQL, one worker, one broker. "
        "Each time is from the fault until a request to the affected process, or to the worker's page, shows it.",
        (
            Figure.of(
                "service slows to a hundredth → cut retry budget and rate limit obeyed in it",
                "s",
                storms,
                "median ≤ 2, max ≤ 5",
            ),
            Figure.of(f"replay paused → reads go to the primary (the objective of {slo:g} s included)", "s", pauses),
            Figure.of(
                f"the same, from the moment the replica is {slo:g} s stale",
                "s",
                [pause - slo for pause in pauses],
                "median ≤ 2, max ≤ 5",
            ),
            Figure.of("kill -9 of a service that nobody calls → convicted", "s", deaths, "max ≤ 5"),
        ),
    )


def _storm(fleet: Fleet, number: int) -> float:
    shop = fleet.shop(node=f"storm-{number}", service=f"storm-{number}")
    flood = fleet.flood(shop, rate=60, callee=f"storm-{number}")
    time.sleep(_CALM_SECONDS)
    began = time.monotonic()
    httpx.post(f"{shop.url}/work?seconds=1.0")
    seconds = _until(lambda: _obeys(shop), began)
    flood.stop()
    shop.stop()
    return seconds


def _obeys(shop: Running) -> bool:
    status = shop.get("/status")
    return bool(status["retry_budget"] < 0.1 and status["rate_limited"])


def _pauses(fleet: Fleet, pair: PostgresPair, runs: int) -> list[float]:
    fleet.agent("--postgres", f"orders={pair.primary_dsn}", "--replica", f"orders/r1={pair.replica_dsn}")
    shop = fleet.shop(node="reader")
    time.sleep(_CALM_SECONDS)
    found: list[float] = []
    for _ in range(runs):
        pair.pause_replay()
        began = time.monotonic()
        found.append(_until(lambda: shop.get("/status")["reads"] == "primary", began))
        pair.resume_replay()
        _until(lambda: shop.get("/status")["reads"] == "r1", time.monotonic())
    return found


def _death(fleet: Fleet, worker: Running, number: int) -> float:
    node = f"mortal-{number}"
    shop = fleet.shop(node=node, service=node)
    _until(lambda: _status(worker, node) == "alive", time.monotonic())
    time.sleep(3.0 + number / _RUNS)  # beats to learn from, and another phase each time
    shop.kill()
    return _until(lambda: _is_convicted(worker, node), time.monotonic())


def _status(worker: Running, node: str) -> str:
    return next((str(one["status"]) for one in worker.get("/api/world")["nodes"] if one["node"] == node), "")


def _is_convicted(worker: Running, node: str) -> bool:
    return any(
        one["kind"] == "node_failed" and one["status"] == "open" and one["subject"] == node
        for one in worker.get("/api/world")["incidents"]
    )


def _until(condition: Callable[[], bool], began: float) -> float:
    """Seconds from `began` until the condition holds; infinity when it never does."""
    while not condition():
        if time.monotonic() - began > _PATIENCE:
            return float("inf")
        time.sleep(_LOOK_SECONDS)
    return time.monotonic() - began
