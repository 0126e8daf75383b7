"""The Redis collectors against a source with a replica; the truth lies in the interval that comes out."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from tests.support.core_rig import wait_until
from tests.support.pairs import Judged
from tests.support.redis import RedisPair

from snowshed.producers.collectors import Clock, Collector, RowSeen, RowWritten
from snowshed.producers.collectors.redis import redis_collectors
from snowshed.producers.collectors.redis.session import CommandFailed, Session
from snowshed.producers.collectors.servers import RowPeriods, Servers
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable
from snowshed.schemas.records import LagStatus

_CLOCK = Clock()


@contextmanager
def _collectors(source: str, replica: str, dataset: str = "carts") -> Generator[tuple[Collector, ...]]:
    made = redis_collectors(Servers(dataset, source, {"r1": replica}), writer="host@test", periods=RowPeriods())
    try:
        yield made
    finally:
        for collector in made:
            collector.close()


def _written(collector: Collector) -> RowWritten:
    [row] = collector.collect(_CLOCK)
    assert isinstance(row, RowWritten)
    return row


def _seen(collector: Collector) -> RowSeen:
    [row] = collector.collect(_CLOCK)
    assert isinstance(row, RowSeen)
    return row


def _shows(collector: Collector, version: int) -> bool:
    with suppress(ServerUnavailable):
        return _seen(collector).version >= version
    return False


def test_a_key_reaches_the_replica_with_the_bytes_it_is_behind(redis_pair: RedisPair) -> None:
    with _collectors(redis_pair.source_url, redis_pair.replica_url) as (source, replica):
        first, second = _written(source), _written(source)
        assert second.version == first.version + 1
        assert second.position > first.position
        wait_until(lambda: _shows(replica, second.version), what="the key is replicated")
        wait_until(lambda: _seen(replica).position >= second.position, what="the stream is processed")
        row = _seen(replica)
        assert (row.written_at, row.writer, row.row_period) == (second.written_at, "host@test", 0.5)


def test_the_interval_holds_the_truth_while_the_replicas_link_is_down(redis_pair: RedisPair) -> None:
    judged = Judged(slo=1.0)
    with _collectors(redis_pair.source_url, redis_pair.replica_url) as (source, replica):
        [last] = judged.take([_written(source)])
        wait_until(lambda: _shows(replica, last.version), what="the key is replicated")
        judged.introduce(lambda: [_seen(replica)])
        redis_pair.unlink()
        try:
            begun = time.time()
            with capture_logs() as logs:
                while time.time() < begun + 2.5:
                    [last] = judged.take([_written(source)])
                    [row] = judged.take([_seen(replica)])
                    lag, truth = judged.lags["r1"], row.seen_at - begun
                    # All that was written before `begun` has arrived, and nothing after it.
                    assert row.written_at <= begun
                    assert lag.low <= truth <= lag.high
        finally:
            redis_pair.link()
        assert judged.status("r1") is LagStatus.BEHIND
        assert judged.lags["r1"].bytes_behind > 0
        [down] = [entry for entry in logs if entry["event"] == "redis_link_changed"]
        assert (down["before"], down["after"]) == ("up", "down")
        wait_until(lambda: _shows(replica, last.version), what="the replica catches up")
        judged.take([_seen(replica)])
        assert judged.status("r1") is LagStatus.FRESH


def test_a_replica_that_answers_nobody_is_given_up_in_time_and_asked_anew(redis_pair: RedisPair) -> None:
    session = Session("carts/r1", redis_pair.replica_url, timeout=0.5)
    assert session.run(("PING",)) == [True]
    redis_pair.freeze()
    try:
        started = time.monotonic()
        with pytest.raises(CommandFailed, match="carts/r1"):
            session.run(("PING",))
        assert time.monotonic() - started < 3
    finally:
        redis_pair.thaw()
    assert session.run(("PING",)) == [True]
    session.close()


def test_a_replica_is_no_source(redis_pair: RedisPair) -> None:
    with (
        _collectors(redis_pair.replica_url, redis_pair.source_url) as (source, _),
        pytest.raises(ServerUnavailable, match="name the new source"),
    ):
        _written(source)


def test_a_replica_without_the_key_gives_no_reading(redis_pair: RedisPair) -> None:
    with (
        _collectors(redis_pair.source_url, redis_pair.replica_url, "unwritten") as (_, replica),
        pytest.raises(ServerUnavailable, match="unwritten/r1 shows no heartbeat key yet"),
    ):
        _seen(replica)


def test_a_user_that_may_not_write_is_told_what_to_run_and_then_it_works(redis_pair: RedisPair) -> None:
    user = f"agent-{uuid4().hex[:8]}"
    url = redis_pair.source_url.replace("redis://", f"redis://{user}:it%27s%20secret@")
    redis_pair.execute(0, "ACL", "SETUSER", user, "on", ">it's secret")
    try:
        with _collectors(url, redis_pair.replica_url, user) as (source, _):
            with pytest.raises(ConfigurationError, match="Run: ACL SETUSER") as refused:
                _written(source)
            assert "secret" not in str(refused.value)
            redis_pair.execute(0, *str(refused.value).partition("Run: ")[2].split())
            assert _written(source).version == 1
    finally:
        redis_pair.execute(0, "ACL", "DELUSER", user)


def test_a_wrong_password_is_the_operators_to_mend(redis_pair: RedisPair) -> None:
    session = Session("carts/primary", redis_pair.source_url.replace("redis://", "redis://nobody:XYsecretZ@"))
    with pytest.raises(ConfigurationError, match="right user and password") as refused:
        session.run(("PING",))
    assert "secret" not in str(refused.value)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    session = Session("carts/primary", "redis://agent:XYsecretZ@127.0.0.1:1", timeout=0.5)
    with pytest.raises(ServerUnavailable, match=r"carts/primary \(agent@127\.0\.0\.1:1\)") as refused:
        session.run(("PING",))
    assert "secret" not in str(refused.value)
