"""The statement digests of a MariaDB and of a MySQL 8, whose fingerprints are those that their clients find."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs
from tests.support.core_rig import wait_until
from tests.support.sql_pair import SqlPair
from tests.support.statements import StatementPoller

from snowshed.producers.collectors import Clock, Collector
from snowshed.producers.collectors.mysql import mysql_collectors
from snowshed.producers.collectors.servers import RowPeriods, Servers
from snowshed.producers.instrument import fingerprint
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable

_CLOCK = Clock()
_FORGET = "TRUNCATE performance_schema.events_statements_summary_by_digest"
_SMALL = ("--performance-schema=1", "--performance-schema-digests-size=12")
_INSERT = ("work", fingerprint("INSERT INTO things VALUES (1)"))
_COUNT = ("work", fingerprint("SELECT count(*) FROM things"))


@pytest.fixture(params=["mariadb_pair", "mysql_pair"])
def pair(request: pytest.FixtureRequest) -> Generator[SqlPair]:
    """A MariaDB pair, then a MySQL 8 pair, each with an empty table and no statements counted."""
    found: SqlPair = request.getfixturevalue(request.param)
    found.execute(0, "CREATE DATABASE work", "CREATE TABLE work.things (i INT, name VARCHAR(20), at DATETIME)", _FORGET)
    yield found
    found.execute(0, "DROP DATABASE work")


@contextmanager
def _collectors(url: str, limit: int = 50) -> Generator[dict[str, Collector]]:
    made = mysql_collectors(Servers("orders", url), writer="host@test", periods=RowPeriods(), statement_limit=limit)
    try:
        yield {collector.name.split()[1]: collector for collector in made}
    finally:
        for collector in made:
            collector.close()


@contextmanager
def _poller(url: str, limit: int = 50) -> Generator[StatementPoller]:
    with _collectors(url, limit) as collectors:
        yield StatementPoller(collectors["statements"])


def _used(calls: dict[tuple[str, str], int], schema: str = "work") -> dict[tuple[str, str], int]:
    """Without those of no schema, such as what a driver says when it connects."""
    return {key: count for key, count in calls.items() if key[0] == schema}


def _work(pair: SqlPair, *statements: str, number: int = 0, schema: str = "work") -> None:
    # A server counts a statement after it has answered it, but before the next on the same connection; the last is one
    # that the agent runs too, so that it is never reported.
    pair.execute(number, f"USE {schema}", *statements, "SET SESSION time_zone = '+00:00'")


def test_each_call_is_reported_once_and_none_of_the_agents_own(pair: SqlPair) -> None:
    with _collectors(pair.primary_url) as collectors:
        poller = StatementPoller(collectors["statements"])
        _work(pair, *["INSERT INTO things VALUES (1, 'a', NULL)"] * 5)
        assert poller.poll() == {}
        _work(pair, *["INSERT INTO things VALUES (2, 'b', NULL)"] * 3, "SELECT count(*) FROM things")
        list(collectors["heartbeat"].collect(_CLOCK))
        assert _used(poller.poll()) == {_INSERT: 3, _COUNT: 1}
        for _ in range(3):
            list(collectors["heartbeat"].collect(_CLOCK))
            assert poller.poll() == {}


@pytest.mark.parametrize(
    ("sent", "counted"),
    [
        ("SELECT * FROM things WHERE i = %s", "SELECT * FROM things WHERE i = -17"),
        ("SELECT `t`.`name` FROM work.things AS t", "SELECT t.name FROM work.things AS t"),
        ("SELECT i FROM things WHERE i IN (%s, %s)", "SELECT i FROM things WHERE i IN (1, 2, 3)"),
        ("SELECT i FROM things WHERE i BETWEEN %s AND %s", "SELECT i FROM things WHERE i BETWEEN -1 AND 5.5"),
        (
            "SELECT i FROM things WHERE (i, name) IN ((%s, %s))",
            "SELECT i FROM things WHERE (i, name) IN ((1,'a'),(2,'b'))",
        ),
        ("SELECT i FROM things ORDER BY name LIMIT %s, %s", "SELECT i FROM things ORDER BY name LIMIT 5, 10"),
        ("SELECT i FROM things LIMIT %s OFFSET %s", "SELECT i FROM things LIMIT 5 OFFSET 10"),
        ("SELECT DISTINCT name FROM things WHERE i <> %s", "SELECT DISTINCT name FROM things WHERE i != 3;"),
        ("INSERT INTO things VALUES (%s, %s, %s)", "INSERT INTO things VALUES (1, 'it\\'s', NULL), (2, \"b\", NULL)"),
        ("INSERT INTO things (i, at) VALUES (%s, NOW())", "INSERT INTO things (i, at) VALUES (1, NOW()), (2, NOW())"),
        ("REPLACE INTO things SET i = %s, name = %s", "REPLACE INTO things SET i = 1, name = NULL"),
        ("UPDATE things SET name = %s WHERE i = %s", "UPDATE things SET name = _utf8'b' WHERE i = 0xFF"),
        (
            "DELETE FROM things WHERE at < NOW() - INTERVAL %s DAY",
            "DELETE FROM things WHERE at < NOW() - INTERVAL 3 DAY",
        ),
        ("SELECT i FROM things WHERE at < CURRENT_TIMESTAMP", "SELECT i FROM things WHERE at < CURRENT_TIMESTAMP"),
        (
            "SELECT SUBSTR(name, %s, 2), CAST(i AS CHAR) FROM things",
            "SELECT SUBSTR(name, 1, 2), CAST(i AS CHAR) FROM things",
        ),
        ("SELECT COALESCE(name, %s), IF(i, %s, %s) FROM things", "SELECT COALESCE(name, 'x'), IF(i, 1, 2) FROM things"),
        (
            "SELECT i FROM things HAVING i >= %s AND i IS NOT NULL",
            "SELECT i FROM things HAVING i >= 1 AND i IS NOT NULL",
        ),
        (
            "SELECT a.i FROM things a LEFT JOIN things b USING (i) WHERE a.name LIKE %s GROUP BY a.i FOR UPDATE",
            "SELECT a.i FROM things a LEFT JOIN things b USING (i) WHERE a.name LIKE '%x' GROUP BY a.i FOR UPDATE",
        ),
        (
            "SELECT CASE WHEN i > %s THEN %s ELSE %s END FROM things",
            "SELECT CASE WHEN i > 1 THEN 'a' ELSE -2 END FROM things",
        ),
        (
            "SELECT i FROM things WHERE i = ANY (SELECT i FROM things) UNION ALL SELECT %s",
            "SELECT i FROM things WHERE i = ANY (SELECT i FROM things) UNION ALL SELECT 1",
        ),
        ("/* who */ SELECT i -- why\n FROM things", "SELECT /* who */ i FROM things"),
    ],
)
def test_a_statement_has_the_fingerprint_that_its_client_finds(pair: SqlPair, sent: str, counted: str) -> None:
    with _poller(pair.primary_url) as poller:
        poller.poll()
        _work(pair, counted)
        assert _used(poller.poll()) == {("work", fingerprint(sent)): 1}


def test_after_a_reset_of_the_counters_calls_count_from_zero(pair: SqlPair) -> None:
    with _poller(pair.primary_url) as poller:
        _work(pair, *["INSERT INTO things VALUES (1, 'a', NULL)"] * 5)
        poller.poll()
        pair.execute(0, "SELECT SLEEP(1.1)")  # MariaDB tells the beginnings of its counters in whole seconds
        pair.execute(0, _FORGET)
        _work(pair, *["INSERT INTO things VALUES (1, 'a', NULL)"] * 7)
        assert _used(poller.poll()) == {_INSERT: 7}


def test_schemas_are_apart_and_an_address_may_name_one(pair: SqlPair) -> None:
    pair.execute(0, "CREATE DATABASE other", "CREATE TABLE other.things (i INT)")
    try:
        with _poller(pair.primary_url) as both, _poller(f"{pair.primary_url}/other") as other:
            both.poll()
            other.poll()
            _work(pair, *["SELECT count(*) FROM things"] * 3)
            _work(pair, *["SELECT count(*) FROM things"] * 2, schema="other")
            of_other = {("other", _COUNT[1]): 2}
            assert other.poll() == of_other
            polled = both.poll()
            assert _used(polled) == {_COUNT: 3}
            assert _used(polled, "other") == of_other
    finally:
        pair.execute(0, "DROP DATABASE other")


def test_statements_beyond_the_limit_are_summed(pair: SqlPair) -> None:
    with _poller(pair.primary_url, limit=1) as poller:
        for _ in range(6):  # each poll learns of one more statement that is the agent's own
            poller.poll()
        _work(pair, "SELECT SLEEP(0.2)", *["SELECT count(*) FROM things"] * 4)
        polled = _used(poller.poll())
    # What is not at the top is not looked up, and so not known to be the agent's own.
    assert polled == {("work", fingerprint("SELECT SLEEP(%s)")): 1, ("work", "OTHER"): 4 + 1}


def test_a_statement_that_is_prepared_in_sql_counts_as_its_execution(pair: SqlPair) -> None:
    with _poller(pair.primary_url) as poller:
        poller.poll()
        _work(pair, "PREPARE p FROM 'SELECT count(*) FROM things'", "EXECUTE p", "EXECUTE p")
        assert _used(poller.poll())["work", fingerprint("EXECUTE p")] == 2


def test_an_agent_is_told_what_switches_counting_on_and_then_it_works(pair: SqlPair) -> None:
    pair.execute(0, "UPDATE performance_schema.setup_consumers SET ENABLED = 'NO' WHERE NAME = 'statements_digest'")
    with _poller(pair.primary_url) as poller:
        poller.poll()
        with pytest.raises(ConfigurationError, match=r"are not counted\. Run: UPDATE") as off:
            poller.poll()
        pair.execute(0, str(off.value).partition("Run: ")[2].rstrip(";"))
        poller.poll()
        _work(pair, "SELECT count(*) FROM things")
        assert _used(poller.poll()) == {_COUNT: 1}


def test_a_server_without_a_performance_schema_is_named_with_the_remedy(pair: SqlPair) -> None:
    with _poller(pair.replica_url) as poller, pytest.raises(ConfigurationError, match="performance_schema = ON"):
        poller.poll()


def test_a_user_that_may_not_see_the_statements_is_told_what_to_run_and_then_it_works(pair: SqlPair) -> None:
    user = "looker@'127.0.0.1'"
    pair.execute(0, f"CREATE USER {user}")
    try:
        with _poller(pair.url(0, "looker")) as poller:
            with pytest.raises(ConfigurationError, match="Run: GRANT SELECT ON performance_schema") as refused:
                poller.poll()
            remedy = str(refused.value).partition("Run: ")[2].replace("<the agent's user>", user)
            pair.execute(0, remedy.rstrip(";"))
            poller.poll()
            _work(pair, "SELECT count(*) FROM things")
            assert _used(poller.poll()) == {_COUNT: 1}
    finally:
        pair.execute(0, f"DROP USER {user}")


@pytest.fixture
def small(pair: SqlPair) -> Generator[SqlPair]:
    """The replica tells few statements apart."""
    pair.kill_replica()
    pair.restart_replica(*_SMALL)
    there = "SELECT 1 FROM information_schema.tables WHERE table_name = 'things'"
    wait_until(lambda: bool(pair.execute(1, there)), what="the table is replicated", found=pair.stopped)
    yield pair
    pair.kill_replica()
    pair.restart_replica()


def _statements(count: int) -> list[str]:
    return [f"SELECT {column} FROM things" for column in ["i, " * more + "i" for more in range(count)]]


def test_what_a_full_table_no_longer_tells_apart_is_summed_and_told_once(small: SqlPair) -> None:
    with _poller(small.replica_url) as poller, capture_logs() as logs:
        poller.poll()
        _work(small, *_statements(20), number=1)
        poller.poll()
        _work(small, *["SELECT name FROM things"] * 5, number=1)
        polled = poller.poll()
        assert polled["unknown", "OTHER"] >= 5
        [warning] = [entry for entry in logs if entry["event"] == "statements_lumped"]
        small.execute(1, str(warning["remedy"]).partition(";")[0])
        _work(small, *["SELECT name FROM things"] * 3, number=1)
        assert _used(poller.poll()) == {("work", fingerprint("SELECT name FROM things")): 3}


def test_a_server_that_was_restarted_counts_from_zero(small: SqlPair) -> None:
    with _poller(small.replica_url) as poller:
        _work(small, *["SELECT count(*) FROM things"] * 2, number=1)
        poller.poll()
        time.sleep(1.1)  # MariaDB tells in whole seconds since when it has counted
        small.kill_replica()
        small.restart_replica(*_SMALL)
        with pytest.raises(ServerUnavailable):
            poller.poll(0.0)
        _work(small, *["SELECT count(*) FROM things"] * 3, number=1)
        assert _used(poller.poll()) == {_COUNT: 3}
