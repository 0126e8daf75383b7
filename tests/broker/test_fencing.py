"""From the observations of a cut to the writer and the reader that obey what is decided, over a real broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
from confluent_kafka import Producer
from tests.support.core_rig import Rig, wait_until
from tests.unit.streams.cascade.domain_script import START, edges, lag

from snowshed.consumers import DecisionView, ReplicaRouter, WriteFence
from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import Rejected
from snowshed.schemas.records import LagStatus, Record
from snowshed.streams.broker import Broker
from snowshed.streams.cascade import DomainFold
from snowshed.streams.policy import parsed
from snowshed.streams.transactions.context import LaneLimits
from snowshed.streams.transactions.core import Core
from snowshed.streams.transactions.events import NoWatcher
from snowshed.streams.transactions.judge import DirectJudge
from snowshed.streams.transactions.protocol import GroupSettings

_POLICY = parsed(
    """
[datasets.ledger]
consistency = "cp"
places = { e1 = "shop-1", e2 = "shop-2", e3 = "shop-3" }
[quorums.ledger]
voters = ["e1", "e2", "e3"]
[datasets.orders]
consistency = "ap"
bound = 30
places = { main = "shop-1", r1 = "shop-3" }
"""
).policy
_NAMES = ("shop-1", "shop-2", "shop-3")


@pytest.fixture
def rig(kafka: Broker, prefix: str) -> Rig:
    return Rig(kafka.bootstrap, prefix)


@contextmanager
def level_2(rig: Rig) -> Generator[None]:
    core = Core(
        connection=rig.connection,
        topics=rig.topics,
        codec=Codec(),
        group=GroupSettings(rig.prefix, rig.protocol, 6.0),
        folds={"domain": DomainFold(_POLICY)},
        judge=DirectJudge(),
        watcher=NoWatcher(),
        limits=LaneLimits(tick=0.05),
        fatal=pytest.fail,
    )
    core.start()
    try:
        yield
    finally:
        core.stop()


def observed(rig: Rig, cut: str, inside: Sequence[str]) -> None:
    """Calls between all services, those to and from one of them without an answer, and what the stores say."""
    at = time.time() - START
    rows = [
        {"caller": one, "callee": other, **({"ok": 0.0, "timeout": 100.0} if cut in {one, other} else {})}
        for one in _NAMES
        for other in _NAMES
        if one != other
    ]
    quorum = replace(
        lag(at, "quorum", LagStatus.FRESH, 0.0, 0.0),
        dataset="ledger",
        evidence_offset=round(1_000 * at),
        condition="critical" if cut else "healthy",
        tolerates=0.0,
        inside=tuple(inside),
    )
    replicas = (lag(at, "main", LagStatus.FRESH, 0.0, 0.0), lag(at, "r1", LagStatus.FRESH, 0.5, 1.0))
    send(rig, edges(at, *rows), edges(at, *rows), quorum, *replicas)


def watch(rig: Rig, cut: str, inside: Sequence[str], condition: Callable[[], bool], what: str) -> None:
    """Observe until the condition holds: what is seen lapses after seconds, and reports of one step count as one."""

    def holds() -> bool:
        observed(rig, cut, inside)
        return condition()

    wait_until(holds, what=what)


def send(rig: Rig, *records: Record) -> None:
    producer = Producer({"bootstrap.servers": rig.bootstrap, "partitioner": "murmur2_random"})
    for record in records:
        producer.produce(rig.topics.full("observations"), Codec().encode(record), b"default")
    assert producer.flush(10) == 0


def test_the_cut_off_server_takes_no_writes_and_readers_mark_their_answers_until_all_are_together_again(
    rig: Rig,
) -> None:
    view = DecisionView.connect(rig.connection, prefix=rig.prefix)
    try:
        with level_2(rig):
            writer = WriteFence("ledger", view, lease=30.0)
            router = ReplicaRouter("orders", {"main": 1, "r1": 2}, "main", view)
            wait_until(lambda: writer.check("e3").allowed, what="decisions are heard")
            assert router.reading().age is None
            watch(rig, "shop-3", ("e1", "e2"), lambda: not writer.check("e3").allowed, "e3 is fenced")
            with pytest.raises(Rejected, match=r"fenced in epoch 1: e3 of ledger take no writes"):
                writer.require("e3")
            assert writer.require("e1") == 1
            watch(rig, "shop-3", ("e1", "e2"), lambda: router.reading().age is not None, "answers are marked")
            reading = router.reading()
            assert (reading.name, reading.beyond) == ("r1", False)
            assert 1.0 <= (reading.age or 0.0) < 30.0
            with pytest.raises(Rejected, match=r"no server is known to answer within 0\.1 s"):
                router.reading(0.1, excluding=["main"])
            watch(rig, "", ("e1", "e2", "e3"), lambda: writer.check("e3").allowed, "e3 takes writes again")
            assert writer.require("e3") == 1
    finally:
        view.close()
