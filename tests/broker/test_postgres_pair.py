from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psycopg
from tests.support.postgres import PostgresPair


def _scalar(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]


def _wait_for(dsn: str, query: str, expected: object) -> object:
    """What is found at last; a replica that catches up may cancel what it is asked, which is then asked again."""
    deadline, found = time.monotonic() + 20, None
    while time.monotonic() < deadline:
        with suppress(psycopg.errors.SerializationFailure):
            found = _scalar(dsn, query)
            if found == expected:
                break
        time.sleep(0.05)
    return found


def test_a_write_reaches_the_replica_and_its_statement_is_counted(postgres_pair: PostgresPair) -> None:
    with psycopg.connect(postgres_pair.primary_dsn, autocommit=True) as primary:
        primary.execute("DROP TABLE IF EXISTS written")
        primary.execute("CREATE TABLE written AS SELECT generate_series(1, 1000) AS value")
    assert _scalar(postgres_pair.replica_dsn, "SELECT pg_is_in_recovery()") is True
    exists = "SELECT to_regclass('written') IS NOT NULL"
    assert _wait_for(postgres_pair.replica_dsn, exists, expected=True) is True
    assert _scalar(postgres_pair.replica_dsn, "SELECT count(*) FROM written") == 1000
    counted = "SELECT count(*) > 0 FROM pg_stat_statements WHERE query LIKE 'CREATE TABLE written%'"
    assert _scalar(postgres_pair.primary_dsn, counted) is True


def test_a_paused_replica_lags_until_it_resumes(postgres_pair: PostgresPair) -> None:
    behind = "SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) > 100000"
    postgres_pair.pause_replay()
    assert postgres_pair.pgbench(seconds=1) > 0
    assert _wait_for(postgres_pair.replica_dsn, behind, expected=True) is True
    postgres_pair.resume_replay()
    assert _wait_for(postgres_pair.replica_dsn, behind, expected=False) is False


_OWNER = """
import time
from tests.support.postgres import PostgresPair
print(PostgresPair().start()._folder, flush=True)
time.sleep(600)
"""


def test_the_servers_end_when_the_test_run_is_killed() -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", _OWNER], cwd=root, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        assert len(_running(folder)) == 2
        owner.kill()
    deadline = time.monotonic() + 20
    while _running(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _running(folder) == []
    shutil.rmtree(folder)


def _running(folder: Path) -> list[Path]:
    """The notes that servers remove as the last thing they do."""
    return list(folder.glob("*/postmaster.pid"))
