"""The MySQL collectors against a primary with a replica of each kind; the truth lies in the interval that comes out."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from math import isnan
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from tests.support.core_rig import wait_until
from tests.support.pairs import Judged
from tests.support.sql_pair import SqlPair

from snowshed.producers.collectors import Clock, Collector, RowSeen, RowWritten
from snowshed.producers.collectors.mysql import mysql_collectors
from snowshed.producers.collectors.mysql.session import QueryFailed, Session
from snowshed.producers.collectors.servers import RowPeriods, Servers
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable
from snowshed.schemas.records import LagStatus, PositionUnit

_CLOCK = Clock()


@pytest.fixture(params=["mariadb_pair", "mysql_pair"])
def pair(request: pytest.FixtureRequest) -> SqlPair:
    """A MariaDB pair, then a MySQL 8 pair."""
    found: SqlPair = request.getfixturevalue(request.param)
    return found


@contextmanager
def _collectors(source: str, replica: str, dataset: str = "orders") -> Generator[tuple[Collector, ...]]:
    made = mysql_collectors(
        Servers(dataset, source, {"r1": replica}), writer="host@test", periods=RowPeriods(), statement_limit=50
    )
    row, _, *of_replica = made
    try:
        yield row, *of_replica
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
    try:
        return _seen(collector).version >= version
    except ServerUnavailable:
        return False


def test_a_row_reaches_the_replica_with_the_transactions_it_is_behind(pair: SqlPair) -> None:
    with _collectors(pair.primary_url, pair.replica_url) as (source, replica, _):
        first = _written(source)
        second = _written(source)
        assert (second.version, second.position) == (first.version + 1, first.position + 1)
        assert second.unit is PositionUnit.TRANSACTIONS
        wait_until(lambda: _shows(replica, second.version), what="the row is replicated", found=pair.stopped)
        row = _seen(replica)
        assert (row.written_at, row.writer, row.row_period) == (second.written_at, "host@test", 0.5)
        assert (row.position, row.source_position) == (second.position, second.position)


def test_the_interval_holds_the_truth_while_the_replicas_applier_is_stopped(pair: SqlPair) -> None:
    judged = Judged(slo=1.0)
    with _collectors(pair.primary_url, pair.replica_url) as (source, replica, _):
        [last] = judged.take([_written(source)])
        wait_until(lambda: _shows(replica, last.version), what="the row is replicated", found=pair.stopped)
        judged.introduce(lambda: [_seen(replica)])
        pair.pause_replay()
        try:
            begun = time.time()
            while time.time() < begun + 2.5:
                [last] = judged.take([_written(source)])
                [row] = judged.take([_seen(replica)])
                lag, truth = judged.lags["r1"], row.seen_at - begun
                # All that was written before `begun` is applied, and nothing after it.
                assert row.written_at <= begun
                assert lag.low <= truth <= lag.high
                assert lag.transactions_behind == last.version - row.version
                assert isnan(lag.bytes_behind)
        finally:
            pair.resume_replay()
        assert judged.status("r1") is LagStatus.BEHIND
        wait_until(lambda: _shows(replica, last.version), what="the replica catches up", found=pair.stopped)
        judged.take([_seen(replica)])
        assert judged.status("r1") is LagStatus.FRESH


def test_a_replica_that_receives_nothing_is_as_old_as_it_is(pair: SqlPair) -> None:
    judged = Judged(slo=0.5)
    with _collectors(pair.primary_url, pair.replica_url) as (source, replica, _):
        [last] = judged.take([_written(source)])
        wait_until(lambda: _shows(replica, last.version), what="the row is replicated", found=pair.stopped)
        judged.introduce(lambda: [_seen(replica)])
        pair.cut_off()
        try:
            begun = time.time()
            while time.time() < begun + 1.5:
                judged.take([_written(source)])
                [row] = judged.take([_seen(replica)])
                lag = judged.lags["r1"]
                assert lag.low <= row.seen_at - begun <= lag.high
        finally:
            pair.link()
        assert judged.status("r1") is LagStatus.BEHIND


def test_a_replica_that_was_killed_is_read_again_and_counted_right(pair: SqlPair) -> None:
    with _collectors(pair.primary_url, pair.replica_url) as (source, replica, _):
        first = _written(source)
        wait_until(lambda: _shows(replica, first.version), what="the row is replicated", found=pair.stopped)
        pair.kill_replica()
        with pytest.raises(ServerUnavailable, match="orders/r1"):
            _seen(replica)
        last = _written(source)
        pair.restart_replica()
        wait_until(lambda: _shows(replica, last.version), what="the replica catches up", found=pair.stopped)
        row = _seen(replica)
        assert (row.position, row.source_position) == (last.position, last.position)


def test_a_stopped_applier_is_logged_once_with_its_state(pair: SqlPair) -> None:
    with _collectors(pair.primary_url, pair.replica_url) as (_, _, applier), capture_logs() as logs:
        wait_until(lambda: _last(applier, logs) == ("yes", "yes"), what="the replica is linked", found=pair.stopped)
        logs.clear()
        pair.pause_replay()
        try:
            for _ in range(3):
                assert list(applier.collect(_CLOCK)) == []
        finally:
            pair.resume_replay()
    [entry] = logs
    assert (entry["event"], entry["receiving"], entry["applying"]) == ("applier_changed", "yes", "no")


def _last(applier: Collector, logs: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    list(applier.collect(_CLOCK))
    return logs[-1]["receiving"], logs[-1]["applying"]


_PASSWORD = "it%27s%20secret"


@pytest.fixture
def user(pair: SqlPair) -> Generator[str]:
    """A user that may log in and nothing else, at both servers."""
    name = f"agent_{uuid4().hex[:8]}"
    pair.execute(0, f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'it''s secret'")
    wait_until(
        lambda: bool(pair.execute(1, f"SELECT 1 FROM mysql.user WHERE user = '{name}'")),
        what="the user is replicated",
        found=pair.stopped,
    )
    yield name
    pair.execute(0, f"DROP USER {name}@'127.0.0.1'")


def _run(pair: SqlPair, user: str, remedy: str) -> None:
    statements: Iterable[str] = (
        part.replace("<the agent's user>", f"{user}@'127.0.0.1'") for part in remedy.split(";") if part.strip()
    )
    pair.execute(0, *statements)


def test_a_user_that_may_not_write_is_told_what_to_run_and_then_it_works(pair: SqlPair, user: str) -> None:
    source, replica = (pair.url(number, f"{user}:{_PASSWORD}") for number in (0, 1))
    with _collectors(source, replica, f"d-{user}") as (row, reader, applier):
        with pytest.raises(ConfigurationError, match="Run as an administrator: ") as refused:
            _written(row)
        assert "secret" not in str(refused.value)
        with pytest.raises(ConfigurationError, match=f"GRANT {re.escape(pair.grant)}") as asked:
            list(applier.collect(_CLOCK))
        _run(pair, user, str(refused.value).partition("administrator: ")[2])
        _run(pair, user, str(asked.value).partition("Run: ")[2])
        assert _written(row).version == 1
        granted = f"SELECT 1 FROM mysql.tables_priv WHERE user = '{user}'"
        wait_until(lambda: bool(pair.execute(1, granted)), what="the grant is replicated", found=pair.stopped)
        wait_until(lambda: _shows(reader, 1), what="the row is replicated", found=pair.stopped)
        row.close()
        reader.close()
        applier.close()
        assert list(applier.collect(_CLOCK)) == []


def test_a_wrong_password_is_told_without_it(pair: SqlPair, user: str) -> None:
    with (
        _collectors(pair.url(0, f"{user}:wrongXYZ"), pair.replica_url) as (row, *_),
        pytest.raises(ServerUnavailable, match=f"Access denied for user '{user}'") as refused,
    ):
        _written(row)
    assert "wrongXYZ" not in str(refused.value)


def test_a_replica_is_no_source_and_a_reader_cannot_write(pair: SqlPair) -> None:
    session = Session("orders/r1", pair.replica_url)
    with pytest.raises(QueryFailed, match="READ ONLY"):
        session.query("CREATE DATABASE unwanted")
    session.close()
    with _collectors(pair.primary_url, pair.replica_url) as (source, _, _):
        _written(source)
        pair.execute(0, "CREATE USER plain@'127.0.0.1'", "GRANT ALL ON snowshed.* TO plain@'127.0.0.1'")
        pair.execute(0, "SET GLOBAL read_only = 1")
        try:
            with (
                _collectors(pair.url(0, "plain"), pair.replica_url) as (plain, *_),
                pytest.raises(ServerUnavailable, match="name the new source"),
            ):
                _written(plain)
        finally:
            pair.execute(0, "SET GLOBAL read_only = 0", "DROP USER plain@'127.0.0.1'")


def test_a_replica_that_answers_nobody_is_given_up_in_time(pair: SqlPair) -> None:
    session = Session("orders/r1", pair.replica_url, timeout=0.5)
    session.open()
    with pair.frozen_replica():
        started = time.monotonic()
        with pytest.raises(QueryFailed):
            session.query("SELECT 1")
        assert time.monotonic() - started < 3
    assert session.query("SELECT 1") == [(1,)]
    session.close()


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    session = Session("orders/primary", "mysql://agent:XYsecretZ@127.0.0.1:1", timeout=0.5)
    with pytest.raises(ServerUnavailable, match=r"orders/primary \(agent@127\.0\.0\.1:1\)") as refused:
        session.open()
    assert "secret" not in str(refused.value)
