"""The lag that is reported of a replica, against markers that somebody else commits at the source and looks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pymysql  # type: ignore[import-untyped]  # it has none
import pytest
from tests.support.core_rig import wait_until
from tests.support.pairs import Judged
from tests.support.sql_pair import SqlPair

from snowshed.producers.collectors import Clock, Collector, Reading, RowSeen, RowWritten
from snowshed.producers.collectors.mysql import mysql_collectors
from snowshed.producers.collectors.servers import RowPeriods, Servers
from snowshed.schemas.errors import ServerUnavailable
from snowshed.schemas.records import LagStatus

_CLOCK = Clock()
_NOT_THERE = {1049, 1146}
"""A database or a table that the replica has not made yet."""


@pytest.fixture(params=["mariadb_pair", "mysql_pair"])
def pair(request: pytest.FixtureRequest) -> SqlPair:
    """A MariaDB pair, then a MySQL 8 pair."""
    found: SqlPair = request.getfixturevalue(request.param)
    wait_until(lambda: not found.stopped(), what="the replica follows", found=found.stopped)
    found.execute(0, "CREATE DATABASE IF NOT EXISTS truth")
    return found


@dataclass
class Marks:
    """Rows that are committed all the time, with the times before and after each commit, in a table of their own."""

    pair: SqlPair
    table: str = field(default_factory=lambda: f"truth.marks_{uuid4().hex[:8]}")
    commits: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    _stop: Event = field(default_factory=Event)

    @contextmanager
    def written(self) -> Generator[None]:
        self.pair.execute(0, f"CREATE TABLE {self.table} (id INT PRIMARY KEY)")
        thread = Thread(target=self._write)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _write(self) -> None:
        connection = self.pair.connect(0)
        with connection.cursor() as cursor:
            while not self._stop.wait(0.02):
                before = time.time()
                cursor.execute(f"INSERT INTO {self.table} VALUES ({len(self.commits)})")
                self.commits.append((before, time.time()))
        connection.close()

    def visible(self) -> int:
        """How many of them the replica shows."""
        try:
            [(count,)] = self.pair.execute(1, f"SELECT COUNT(*) FROM {self.table}")
        except (pymysql.err.ProgrammingError, pymysql.err.OperationalError) as error:
            if error.args[0] not in _NOT_THERE:
                raise
            return 0
        return int(count)


class Watch:
    """What the agent and level 1 make of a pair, poll by poll."""

    def __init__(self, collectors: tuple[Collector, ...], marks: Marks) -> None:
        self._source, _, self._replica, _ = collectors
        self._judged = Judged(slo=1.0)
        self.marks = marks
        self._row_due = 0.0
        self.worst = 0.0
        self.looks = 0

    def look(self) -> None:
        """Write a row when one is due, look at the replica, and compare with what its marks say."""
        if time.monotonic() >= self._row_due:
            self._row_due = time.monotonic() + 0.5
            self.write()
        before = self.marks.visible()
        try:
            [row] = self._judged.take(self._replica.collect(_CLOCK))
        except ServerUnavailable:
            return
        assert isinstance(row, RowSeen)
        after = self.marks.visible()
        lag, commits = self._judged.lags.get("r1"), list(self.marks.commits)
        if lag is None:  # new, and read so late on a starved machine that nothing is known yet
            return
        self.looks += 1
        self.worst = max(self.worst, lag.low)
        if before:  # what is the last to be seen was: the replica is no older than its commit
            assert lag.low <= row.seen_at - commits[before - 1][0]
        if after < len(commits):  # this one was committed and not to be seen
            assert lag.high >= row.seen_at - commits[after][1]

    def write(self) -> None:
        [row] = self._judged.take(self._source.collect(_CLOCK))
        assert isinstance(row, RowWritten)

    def status(self) -> LagStatus | None:
        return self._judged.lags["r1"].status if "r1" in self._judged.lags else None

    def until(self, found: Callable[[], bool], what: str) -> None:
        def looked() -> bool:
            self.look()
            return found()

        wait_until(looked, what=what, found=self.marks.pair.stopped)


@contextmanager
def _watch(pair: SqlPair) -> Generator[Watch]:
    servers = Servers("truth", pair.primary_url, {"r1": pair.replica_url})
    collectors = mysql_collectors(servers, writer="host@test", periods=RowPeriods(), statement_limit=0)
    marks = Marks(pair)
    watch = Watch(collectors, marks)
    try:
        with marks.written():
            watch.until(lambda: watch.status() is LagStatus.FRESH, "the replica follows")
            yield watch
            watch.until(lambda: watch.status() is LagStatus.FRESH, "the replica has caught up")
    finally:
        for collector in collectors:
            collector.close()


def test_a_replica_that_is_told_to_wait_is_as_late_as_its_marks(pair: SqlPair) -> None:
    with _watch(pair) as watch:
        pair.delay_replay(2)
        try:
            watch.until(lambda: watch.worst > 1.2, "the replica is late")
            assert watch.status() is LagStatus.BEHIND
            looks = watch.looks
            watch.until(lambda: watch.looks >= looks + 40, "it stays so")
            assert watch.worst < 30
        finally:
            pair.delay_replay(0)


def test_a_replica_that_waits_for_a_lock_is_as_late_as_its_marks(pair: SqlPair) -> None:
    with _watch(pair) as watch:
        reader: Any = pair.connect(1)
        with reader.cursor() as cursor:
            cursor.execute(f"LOCK TABLES {watch.marks.table} READ")
            watch.until(lambda: watch.worst > 1.2, "the replica is late")
        reader.close()


def test_a_stopped_replica_is_as_late_as_its_marks(pair: SqlPair) -> None:
    with _watch(pair) as watch:
        pair.pause_replay()
        try:
            watch.until(lambda: watch.worst > 1.2, "the replica is late")
        finally:
            pair.resume_replay()


def test_a_replica_that_was_made_anew_is_as_late_as_its_marks_until_it_has_caught_up(pair: SqlPair) -> None:
    with _watch(pair) as watch:
        pair.rebuild_replica()
        looks = watch.looks
        watch.until(lambda: watch.looks > looks and watch.status() is LagStatus.FRESH, "it has caught up")


def test_a_replica_of_a_source_that_does_nothing_stays_fresh(pair: SqlPair) -> None:
    with _watch(pair) as watch:
        pass
    assert watch.worst < 1.0


def test_a_commit_that_takes_long_at_the_source_makes_no_replica_late(pair: SqlPair) -> None:
    judged, servers = Judged(slo=1.0), Servers("truth", pair.primary_url, {"r1": pair.replica_url})
    collectors = mysql_collectors(servers, writer="host@test", periods=RowPeriods(), statement_limit=0)
    source, _, replica, _ = collectors
    written: list[Reading] = []
    with ExitStack() as after:
        for collector in collectors:
            after.callback(collector.close)
        [first] = judged.take(source.collect(_CLOCK))
        assert isinstance(first, RowWritten)
        wait_until(lambda: _version(replica) == first.version, what="the row is replicated", found=pair.stopped)
        judged.introduce(lambda: replica.collect(_CLOCK))
        pair.pause_replay()
        after.callback(pair.resume_replay)
        blocker: Any = pair.connect(0)
        after.callback(blocker.close)
        with blocker.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            cursor.execute("SELECT * FROM snowshed.heartbeat WHERE source = 'truth' FOR UPDATE")
            thread = Thread(target=lambda: written.extend(source.collect(_CLOCK)))
            thread.start()
            waiting = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'INSERT INTO snowshed.heartbeat%'"
            wait_until(lambda: bool(pair.execute(0, waiting)), what="the row waits")
            time.sleep(0.3)
            released = time.time()
            cursor.execute("ROLLBACK")
        thread.join()
        judged.take(written)
        [row] = judged.take(replica.collect(_CLOCK))
    assert isinstance(row, RowSeen)
    assert judged.lags["r1"].low <= row.seen_at - released


def _version(replica: Collector) -> int:
    try:
        [row] = replica.collect(_CLOCK)
    except ServerUnavailable:
        return 0
    assert isinstance(row, RowSeen)
    return row.version
