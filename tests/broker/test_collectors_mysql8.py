"""What only MySQL 8 tells: its transactions by server, what waits at a replica, and what its clients called."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.support.core_rig import wait_until
from tests.support.mysql import MySqlPair

from snowshed.producers.collectors import Clock, RowSeen
from snowshed.producers.collectors.mysql.applier import Applier
from snowshed.producers.collectors.mysql.replica_row import ReplicaRow
from snowshed.producers.collectors.mysql.session import Session
from snowshed.producers.collectors.mysql.source_log import SourceLog
from snowshed.producers.collectors.mysql.source_row import SourceRow
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable

_CLOCK = Clock()


@pytest.fixture
def table(mysql_pair: MySqlPair) -> Generator[str]:
    """An empty table at both servers."""
    mysql_pair.execute(0, "CREATE DATABASE work", "CREATE TABLE work.things (i INT)")
    _until_applied(mysql_pair)
    yield "work.things"
    mysql_pair.execute(0, "DROP DATABASE work")
    _until_applied(mysql_pair)


def _until_applied(pair: MySqlPair) -> None:
    [(gtids,)] = pair.execute(0, "SELECT @@GLOBAL.gtid_executed")
    done = f"SELECT GTID_SUBSET('{gtids}', @@GLOBAL.gtid_executed)"
    wait_until(lambda: pair.execute(1, done) == [(1,)], what="the replica has applied everything")


def test_a_replicas_own_transactions_do_not_stand_for_those_it_lacks(mysql_pair: MySqlPair, table: str) -> None:
    log = SourceLog()
    source = SourceRow(
        Session("own/primary", mysql_pair.primary_url, writes=True),
        dataset="own",
        source="primary",
        writer="host@test",
        log=log,
        period=0.5,
    )
    replica = ReplicaRow(Session("own/r1", mysql_pair.replica_url), dataset="own", replica="r1", log=log, period=0.25)
    list(source.collect(_CLOCK))
    _until_applied(mysql_pair)
    mysql_pair.pause_replay()
    try:
        mysql_pair.execute(1, *[f"INSERT INTO {table} VALUES (1)"] * 5)
        mysql_pair.execute(0, *[f"INSERT INTO {table} VALUES (2)"] * 3)
        list(source.collect(_CLOCK))
        [row] = replica.collect(_CLOCK)
    finally:
        mysql_pair.resume_replay()
        source.close()
        replica.close()
    assert isinstance(row, RowSeen)
    assert row.source_position - row.position == 4.0


class _Log:
    """The newest line of an applier's log, asked for anew."""

    def __init__(self, pair: MySqlPair) -> None:
        self._url = pair.replica_url

    def line(self) -> dict[str, Any]:
        applier = Applier(Session("work/r1", self._url), dataset="work", replica="r1", period=5.0)
        with capture_logs() as logs:
            list(applier.collect(_CLOCK))
        applier.close()
        [entry] = logs
        return dict(entry)


def test_what_waits_at_a_stopped_applier_is_counted_and_its_age_bounded(mysql_pair: MySqlPair, table: str) -> None:
    log = _Log(mysql_pair)
    assert log.line()["waiting_transactions"] == 0.0
    mysql_pair.execute(0, f"INSERT INTO {table} VALUES (0)")
    _until_applied(mysql_pair)
    mysql_pair.pause_replay()
    try:
        time.sleep(0.3)
        before = time.time()
        mysql_pair.execute(0, f"INSERT INTO {table} VALUES (1)")  # from its commit on the replica is stale
        after = time.time()
        time.sleep(0.5)
        mysql_pair.execute(0, f"INSERT INTO {table} VALUES (2)")
        wait_until(lambda: log.line()["waiting_transactions"] == 2.0, what="both have been received")
        asked = time.time()
        line = log.line()
        answered = time.time()
    finally:
        mysql_pair.resume_replay()
    assert (line["receiving"], line["applying"]) == ("yes", "no")
    assert line["waiting_low"] <= answered - before
    assert line["waiting_high"] >= asked - after
    assert line["waiting_low"] < line["waiting_high"]


def test_after_a_start_the_age_of_what_waits_has_no_upper_bound(mysql_pair: MySqlPair, table: str) -> None:
    mysql_pair.kill_replica()
    mysql_pair.restart_replica("--skip-slave-start")
    try:
        mysql_pair.execute(1, "START SLAVE IO_THREAD")
        mysql_pair.execute(0, f"INSERT INTO {table} VALUES (1)")
        log = _Log(mysql_pair)
        wait_until(lambda: log.line()["waiting_transactions"] == 1.0, what="it has been received")
        line = log.line()
    finally:
        mysql_pair.resume_replay()
    assert line["waiting_low"] > 0.0
    assert "waiting_high" not in line


def test_what_broke_an_applier_is_told_by_its_worker(mysql_pair: MySqlPair, table: str) -> None:
    log = _Log(mysql_pair)
    mysql_pair.execute(1, "SET sql_log_bin = 0", f"RENAME TABLE {table} TO work.gone")
    mysql_pair.execute(0, f"INSERT INTO {table} VALUES (1)")
    wait_until(lambda: log.line()["applying"] == "no", what="the applier stops")
    line = log.line()
    mysql_pair.execute(1, "SET sql_log_bin = 0", f"RENAME TABLE work.gone TO {table}")
    mysql_pair.resume_replay()
    assert "Table 'work.things' doesn't exist" in line["error"]
    assert (line["waiting_transactions"], line["waiting_low"] > 0.0) == (1.0, True)


def test_a_password_is_not_sent_to_a_server_without_tls(mysql_pair: MySqlPair) -> None:
    mysql_pair.execute(0, "CREATE USER secretive@'127.0.0.1' IDENTIFIED BY 'abcXYZ'")
    _until_applied(mysql_pair)
    mysql_pair.kill_replica()
    mysql_pair.restart_replica("--skip-ssl")
    address, _, authority = mysql_pair.url(1, "secretive:abcXYZ").partition("/?")
    try:
        with pytest.raises(ConfigurationError, match=r"PyMySQL\[rsa\].*ssl_ca=FILE") as refused:
            Session("work/r1", address).open()
        with pytest.raises(ServerUnavailable, match="SSL"):
            Session("work/r1", f"{address}/?{authority}").open()
    finally:
        mysql_pair.execute(0, "DROP USER secretive@'127.0.0.1'")
        mysql_pair.kill_replica()
        mysql_pair.restart_replica()
    assert "abcXYZ" not in str(refused.value)
