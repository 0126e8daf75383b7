"""The agent and its collectors against a PostgreSQL primary with a streaming replica and a real broker."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from math import isnan
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition
from structlog.testing import capture_logs
from tests.support.postgres import PostgresPair, find_binaries
from tests.support.roundtrip import create_topic
from tests.support.statements import StatementPoller

from snowshed.producers.agent import Agent, AgentSettings
from snowshed.producers.collectors import Clock, Collector, RowSeen, RowWritten
from snowshed.producers.collectors.host import host_node
from snowshed.producers.collectors.postgres import PostgresPeriods, postgres_collectors
from snowshed.producers.collectors.postgres.replica_row import READER_SETTINGS
from snowshed.producers.collectors.postgres.session import QueryFailed, Session
from snowshed.producers.collectors.servers import Servers
from snowshed.producers.instrument.fingerprint import fingerprint
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable
from snowshed.schemas.records import Heartbeat, Marker, NodeStatus, Record, ReplicaRole, TimingBatch
from snowshed.schemas.topics import Topics
from snowshed.streams.broker import Broker

_CLOCK = Clock()
_T = TypeVar("_T", bound=Record)


class _Log:
    """Everything an agent has sent so far, in order of arrival."""

    def __init__(self, bootstrap: str, topics: Topics) -> None:
        self._codec = Codec()
        self._consumer: Any = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False}
        )
        names = [topics.full(short) for short in ("heartbeats", "timings", "markers")]
        self._consumer.assign([TopicPartition(name, 0, 0) for name in names])
        self.records: list[Record] = []

    def until(self, what: str, found: Callable[[], bool], timeout: float = 30) -> None:
        """Read on until something is found."""
        deadline = time.monotonic() + timeout
        while not found():
            assert time.monotonic() < deadline, f"{what} did not arrive within {timeout} s"
            self.read(0.1)

    def read(self, seconds: float) -> None:
        """Read what arrives during some seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            message = self._consumer.poll(0.05)
            if message is not None:
                assert message.error() is None, message.error()
                self.records.append(self._codec.decode(message.value()))

    def of(self, kind: type[_T]) -> list[_T]:
        """The records of one kind."""
        return [record for record in self.records if isinstance(record, kind)]

    def markers(self, role: ReplicaRole) -> list[Marker]:
        """The markers of one end of the replication."""
        return [marker for marker in self.of(Marker) if marker.role is role]

    def close(self) -> None:
        self._consumer.close()


@contextmanager
def _agent(kafka: Broker, prefix: str, pair: PostgresPair, **changes: Any) -> Generator[_Log]:
    topics = Topics(prefix, 1)
    for short in ("heartbeats", "timings", "markers"):
        create_topic(kafka.bootstrap, topics.full(short))
    settings = AgentSettings(
        connection=KafkaConnection(kafka.bootstrap),
        node=host_node("host@test"),
        topics=topics,
        databases=(Servers("orders", pair.primary_dsn, {"r1": pair.replica_dsn}),),
        **changes,
    )
    stop, log = Event(), _Log(kafka.bootstrap, topics)
    thread = Thread(target=Agent(settings).run, args=(stop,))
    thread.start()
    try:
        yield log
    finally:
        stop.set()
        thread.join(20)
        log.close()
    assert not thread.is_alive()


def _superuser(dsn: str, *statements: str) -> list[tuple[Any, ...]]:
    """The rows of the last statement."""
    rows: list[tuple[Any, ...]] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
            rows = [] if cursor.description is None else cursor.fetchall()
    return rows


def _paused(pair: PostgresPair) -> bool:
    return _superuser(pair.replica_dsn, "SELECT pg_get_wal_replay_pause_state()") == [("paused",)]


@pytest.fixture
def database(postgres_pair: PostgresPair) -> Generator[str]:
    """Address of a new, empty database at the primary."""
    name = f"empty_{uuid4().hex[:8]}"
    _superuser(postgres_pair.primary_dsn, f"CREATE DATABASE {name}")
    yield f"{postgres_pair.primary_dsn.rpartition('/')[0]}/{name}"
    _superuser(postgres_pair.primary_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def role(database: str) -> Generator[str]:
    """A role that may log in and nothing else."""
    name = f"agent-{uuid4().hex[:8]}"
    _superuser(database, f'CREATE ROLE "{name}" LOGIN')
    yield name
    _superuser(database, f'DROP OWNED BY "{name}"', f'DROP ROLE "{name}"')


@contextmanager
def _collectors(dsn: str, limit: int = 50, replica_dsn: str = "") -> Generator[dict[str, Collector]]:
    collectors = postgres_collectors(
        Servers("orders", dsn, {"r1": replica_dsn} if replica_dsn else {}),
        writer="host@test",
        periods=PostgresPeriods(),
        statement_limit=limit,
    )
    try:
        yield {collector.name.split()[1]: collector for collector in collectors}
    finally:
        for collector in collectors:
            collector.close()


def _as_role(dsn: str, role: str) -> str:
    return dsn.replace("postgres@", f"{role}@")


def _statements(batches: Iterable[TimingBatch]) -> dict[str, float]:
    """Calls by fingerprint."""
    calls: dict[str, float] = {}
    for batch in batches:
        for row, count in enumerate(batch.attempts):
            name = batch.strings[int(batch.statement[row])]
            calls[name] = calls.get(name, 0) + count
    return calls


def test_a_benchmarks_statements_arrive_under_the_fingerprints_its_clients_would_find(
    kafka: Broker, prefix: str, postgres_pair: PostgresPair
) -> None:
    read = fingerprint("SELECT abalance FROM pgbench_accounts WHERE aid = 42")
    with _agent(kafka, prefix, postgres_pair) as log:
        log.until("a heartbeat row", lambda: bool(log.markers(ReplicaRole.REPLICA)))
        log.read(1.5)
        rate = postgres_pair.pgbench(seconds=4)
        log.until("the benchmark", lambda: _statements(log.of(TimingBatch)).get(read, 0) > rate * 2)
        log.until("a host's load", lambda: any(not isnan(beat.cpu) for beat in log.of(Heartbeat)))
        log.read(1.5)
    timings = log.of(TimingBatch)
    assert 0.9 < _statements(timings)[read] / (rate * 4) < 1.1
    assert {batch.callee for batch in timings} == {"orders"}
    assert {batch.reporter for batch in timings} == {"host@test"}
    assert all(0.5 < batch.window < 3 for batch in timings)
    assert "postgres" in {text for batch in timings for text in batch.strings}
    own = fingerprint("SELECT version, written_at, writer, row_period FROM snowshed.heartbeat WHERE source = 'orders'")
    assert own not in _statements(timings)
    assert all(0 <= beat.memory <= 1 for beat in log.of(Heartbeat))


def test_an_agent_that_stops_says_that_its_host_leaves(kafka: Broker, prefix: str, postgres_pair: PostgresPair) -> None:
    log: _Log
    with _agent(kafka, prefix, postgres_pair) as log:
        log.until("a heartbeat", lambda: bool(log.of(Heartbeat)))
        assert log.of(Heartbeat)[0].status is NodeStatus.UP
    last = _Log(kafka.bootstrap, Topics(prefix, 1))
    last.until("the last heartbeat", lambda: any(b.status is NodeStatus.LEAVING for b in last.of(Heartbeat)))
    last.close()


def test_a_paused_replica_shows_an_old_row_until_it_resumes(
    kafka: Broker, prefix: str, postgres_pair: PostgresPair
) -> None:
    with _agent(kafka, prefix, postgres_pair) as log:
        log.until("a replica's marker", lambda: len(log.markers(ReplicaRole.REPLICA)) > 4)
        fresh = log.markers(ReplicaRole.REPLICA)[-1]
        assert fresh.seen_at - fresh.written_at < 2
        postgres_pair.pause_replay()
        try:
            log.until("the pause", lambda: _paused(postgres_pair), 10)
            log.read(1.0)
            frozen = log.markers(ReplicaRole.REPLICA)[-1]
            log.read(3.0)
            still = log.markers(ReplicaRole.REPLICA)[-1]
            newest = log.markers(ReplicaRole.SOURCE)[-1]
        finally:
            postgres_pair.resume_replay()
        assert (still.version, still.written_at, still.position) == (frozen.version, frozen.written_at, frozen.position)
        assert still.seen_at > frozen.seen_at + 2
        assert newest.version >= still.version + 4
        assert still.source_position > still.position
        log.until("the newest row", lambda: log.markers(ReplicaRole.REPLICA)[-1].version >= newest.version, 10)
    caught_up = log.markers(ReplicaRole.REPLICA)[-1]
    assert (caught_up.writer, caught_up.node, caught_up.system) == ("host@test", "host@test", "postgresql")
    assert caught_up.position > still.position
    versions = [marker.version for marker in log.markers(ReplicaRole.SOURCE)]
    assert versions == list(range(int(versions[0]), int(versions[0]) + len(versions)))


def _postmaster(dsn: str) -> tuple[int, Path]:
    """Process of a server, and its data folder."""
    [(data,)] = _superuser(dsn, "SHOW data_directory")
    return int((Path(data) / "postmaster.pid").read_text().splitlines()[0]), Path(data)


@contextmanager
def _restarted(dsn: str) -> Generator[None]:
    """Shut a server down, as an operator would, and run it again until the end of the block."""
    (pid, data), [(port,)] = _postmaster(dsn), _superuser(dsn, "SHOW port")
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + 30
    while (data / "postmaster.pid").exists():
        assert time.monotonic() < deadline, "the server does not end"
        time.sleep(0.05)
    user = ["--reuid", "postgres", "--regid", "postgres", "--init-groups"] if os.geteuid() == 0 else []
    command = ["setpriv", *user, "--pdeathsig", "INT", str(find_binaries() / "postgres"), "-D", str(data), "-p", port]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd="/", stdin=quiet, stdout=quiet, stderr=quiet) as server:
        try:
            yield
        finally:
            server.send_signal(signal.SIGQUIT)


def test_the_agent_survives_a_restart_of_the_primary(kafka: Broker, prefix: str) -> None:
    with (
        PostgresPair() as pair,
        ExitStack() as running,
        capture_logs() as logs,
        _agent(kafka, prefix, pair) as log,
    ):
        log.until("rows", lambda: len(log.markers(ReplicaRole.SOURCE)) > 2)
        before = log.markers(ReplicaRole.SOURCE)[-1]
        running.enter_context(_restarted(pair.primary_dsn))
        restarted = time.time()
        log.until("rows again", lambda: log.markers(ReplicaRole.SOURCE)[-1].written_at > restarted + 1)
        log.until("the replica", lambda: log.markers(ReplicaRole.REPLICA)[-1].written_at > restarted + 1)
    assert log.markers(ReplicaRole.SOURCE)[-1].version > before.version
    rows = [e["event"] for e in logs if e.get("collector") == "postgres heartbeat row of orders"]
    assert rows == ["collector_failing", "collector_recovered"]


def test_a_replica_that_cannot_be_reached_sends_nothing_and_the_rest_goes_on(
    kafka: Broker, prefix: str, postgres_pair: PostgresPair
) -> None:
    postmaster, _ = _postmaster(postgres_pair.replica_dsn)
    with capture_logs() as logs, _agent(kafka, prefix, postgres_pair) as log:
        log.until("a replica's markers", lambda: len(log.markers(ReplicaRole.REPLICA)) > 1)
        logs.clear()
        backends = [
            pid
            for (pid,) in _superuser(
                postgres_pair.replica_dsn,
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'snowshed-agent'",
            )
        ]
        assert backends
        stopped = [postmaster, *backends]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            log.read(5.0)
            silent_from, others = len(log.markers(ReplicaRole.REPLICA)), len(log.markers(ReplicaRole.SOURCE))
            log.read(2.0)
            assert len(log.markers(ReplicaRole.REPLICA)) == silent_from
            assert len(log.markers(ReplicaRole.SOURCE)) > others
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        log.until("a replica's marker", lambda: len(log.markers(ReplicaRole.REPLICA)) > silent_from)
    events = [e["event"] for e in logs if e.get("collector") == "postgres replica orders/r1"]
    assert events == ["collector_failing", "collector_recovered"]


def test_a_query_that_is_never_answered_is_given_up(postgres_pair: PostgresPair) -> None:
    session = Session("orders/primary", postgres_pair.primary_dsn, READER_SETTINGS, timeout=0.5)
    [(pid,)] = session.query("SELECT pg_backend_pid()")
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(QueryFailed):
            session.query("SELECT 1")
        assert 0.4 < time.monotonic() - started < 3
        assert session.query("SELECT 1") == [(1,)]
    finally:
        os.kill(pid, signal.SIGCONT)
        session.close()


def test_a_slow_query_is_ended_by_the_server_and_the_connection_kept(postgres_pair: PostgresPair) -> None:
    session = Session("orders/primary", postgres_pair.primary_dsn, READER_SETTINGS, timeout=0.5)
    pid = session.query("SELECT pg_backend_pid()")
    with pytest.raises(QueryFailed, match="statement timeout") as failed:
        session.query("SELECT pg_sleep(5)")
    assert failed.value.sqlstate == "57014"
    assert session.query("SELECT pg_backend_pid()") == pid
    session.close()


def test_collectors_that_only_read_cannot_write(postgres_pair: PostgresPair) -> None:
    session = Session("orders/primary", postgres_pair.primary_dsn, READER_SETTINGS)
    with pytest.raises(QueryFailed, match="read-only"):
        session.query("CREATE TABLE unwanted ()")
    session.close()


def test_a_role_that_may_not_write_the_row_is_told_what_to_run_and_then_it_works(database: str, role: str) -> None:
    with _collectors(_as_role(database, role)) as collectors:
        with pytest.raises(ConfigurationError, match="CREATE SCHEMA") as refused:
            list(collectors["heartbeat"].collect(_CLOCK))
        remedy = str(refused.value).partition(": CREATE")[2]
        _superuser(database, *f"CREATE{remedy}".split(";")[:-1])
        [row] = collectors["heartbeat"].collect(_CLOCK)
        assert isinstance(row, RowWritten)
        assert row.version == 1
        [again] = collectors["heartbeat"].collect(_CLOCK)
        assert isinstance(again, RowWritten)
        assert again.version == 2
        assert again.position > row.position


def test_a_role_that_may_not_read_the_row_is_told_what_to_run_and_then_it_works(database: str, role: str) -> None:
    with _collectors(database) as writer:
        list(writer["heartbeat"].collect(_CLOCK))
    with _collectors(database, replica_dsn=_as_role(database, role)) as collectors:
        with pytest.raises(ConfigurationError, match="GRANT USAGE") as refused:
            list(collectors["replica"].collect(_CLOCK))
        remedy = str(refused.value).partition("Run at the primary: ")[2]
        _superuser(database, *remedy.split(";")[:-1])
        [row] = collectors["replica"].collect(_CLOCK)
        assert isinstance(row, RowSeen)
        assert row.version == 1


def test_a_replica_without_a_row_gives_no_reading(database: str) -> None:
    with (
        _collectors(database, replica_dsn=database) as collectors,
        pytest.raises(ServerUnavailable, match="orders/r1 shows no heartbeat row yet"),
    ):
        list(collectors["replica"].collect(_CLOCK))


def test_a_primary_that_became_a_standby_is_named_as_such(postgres_pair: PostgresPair) -> None:
    with _collectors(postgres_pair.primary_dsn) as primary:
        list(primary["heartbeat"].collect(_CLOCK))
    time.sleep(1)
    with (
        _collectors(postgres_pair.replica_dsn) as collectors,
        pytest.raises(ServerUnavailable, match="is a standby now"),
    ):
        list(collectors["heartbeat"].collect(_CLOCK))


def test_a_database_without_the_extension_is_named_with_the_remedy(database: str) -> None:
    with _collectors(database) as collectors:
        with pytest.raises(ConfigurationError, match="CREATE EXTENSION pg_stat_statements;"):
            list(collectors["statements"].collect(_CLOCK))
        _superuser(database, "CREATE SCHEMA own", "CREATE EXTENSION pg_stat_statements SCHEMA own")
        assert list(collectors["statements"].collect(_CLOCK)) == []


@pytest.fixture
def counted(database: str) -> str:
    """A database whose statements are counted."""
    _superuser(database, "CREATE EXTENSION pg_stat_statements", "CREATE TABLE things (i int)")
    return database


_INSERT = ("postgres", fingerprint("INSERT INTO things VALUES (1)"))
_COUNT = ("postgres", fingerprint("SELECT count(*) FROM things"))


def test_each_call_is_reported_once_and_none_of_the_agents_own(counted: str) -> None:
    with _collectors(counted) as collectors:
        poller = StatementPoller(collectors["statements"])
        _superuser(counted, *["INSERT INTO things VALUES (1)"] * 5)
        assert poller.poll() == {}
        _superuser(counted, *["INSERT INTO things VALUES (2)"] * 3, "SELECT count(*) FROM things")
        list(collectors["heartbeat"].collect(_CLOCK))
        list(collectors["standbys"].collect(_CLOCK))
        assert poller.poll() == {_INSERT: 3, _COUNT: 1}
        list(collectors["heartbeat"].collect(_CLOCK))
        assert poller.poll() == {}


def test_after_a_reset_of_the_counters_calls_count_from_zero(counted: str) -> None:
    with _collectors(counted) as collectors:
        poller = StatementPoller(collectors["statements"])
        _superuser(counted, *["INSERT INTO things VALUES (1)"] * 5)
        poller.poll()
        _superuser(counted, "SELECT pg_stat_statements_reset()", *["INSERT INTO things VALUES (2)"] * 7)
        assert poller.poll()[_INSERT] == 7


def test_what_was_counted_during_an_outage_is_not_said_to_have_happened_now(counted: str) -> None:
    with _collectors(counted) as collectors:
        poller = StatementPoller(collectors["statements"])
        poller.poll()
        _superuser(counted, *["INSERT INTO things VALUES (1)"] * 5)
        assert poller.poll(60.0) == {}
        _superuser(counted, "INSERT INTO things VALUES (1)")
        assert poller.poll() == {_INSERT: 1}


def test_statements_beyond_the_limit_are_summed(counted: str) -> None:
    with _collectors(counted, limit=1) as collectors:
        poller = StatementPoller(collectors["statements"])
        # Each poll learns of one more statement that is the agent's own.
        for _ in range(6):
            poller.poll()
        _superuser(counted, "INSERT INTO things SELECT generate_series(1, 20000)", *["SELECT count(*) FROM things"] * 4)
        polled = poller.poll()
    assert sum(polled.values()) == 5
    assert len(polled) == 2
    assert ("postgres", "OTHER") in polled


def test_a_role_that_may_not_see_other_roles_statements_is_told_so_once(counted: str, role: str) -> None:
    with _collectors(_as_role(counted, role)) as collectors, capture_logs() as logs:
        poller = StatementPoller(collectors["statements"])
        for _ in range(3):
            _superuser(counted, "INSERT INTO things VALUES (1)")
            assert poller.poll() == {}
        [warning] = [entry for entry in logs if entry["event"] == "statements_hidden"]
        _superuser(counted, warning["remedy"])
        assert poller.poll() == {}, "calls from before the grant are old"
        _superuser(counted, "INSERT INTO things VALUES (1)")
        assert poller.poll() == {_INSERT: 1}
