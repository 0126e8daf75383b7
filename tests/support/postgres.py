"""A PostgreSQL primary and its streaming replica as plain processes on the loopback interface."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import psycopg

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker import free_ports

__all__ = ["PostgresPair", "find_binaries"]

_INSTALLED = Path("/usr/lib/postgresql")
_COMMAND_TIMEOUT = 60.0
_POLL = 0.05
_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
shared_buffers = 32MB
wal_level = replica
max_wal_senders = 5
wal_receiver_status_interval = 1
hot_standby_feedback = off
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track = all
track_io_timing = on
log_min_duration_statement = 200
"""


def find_binaries(installed: Path = _INSTALLED) -> Path:
    """The folder of the newest installed server's programs.

    Raises:
        ServerUnavailable: none is installed.
    """
    versions = sorted(installed.glob("*/bin/initdb"), key=lambda path: float(path.parent.parent.name))
    if not versions:
        raise ServerUnavailable(f"no PostgreSQL server under {installed}: apt-get install postgresql")
    return versions[-1].parent


def _as_postgres() -> list[str]:
    """What runs a command as a user the server accepts, never root, and ends it when this process is killed."""
    user = ["--reuid", "postgres", "--regid", "postgres", "--init-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *user, "--pdeathsig", "INT"]


def _dsn(port: int) -> str:
    return f"postgresql://postgres@127.0.0.1:{port}/postgres"


def _answers(port: int) -> bool:
    try:
        psycopg.connect(_dsn(port), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


class PostgresPair:
    """A context manager that runs both servers and removes them.

    The replica follows through the replication slot `replica` and reports once a second.
    """

    def __init__(self) -> None:
        self._binaries = find_binaries()
        self._primary_port, self._replica_port = free_ports(2)
        self._folder = Path()
        self._servers: list[subprocess.Popen[bytes]] = []

    @property
    def primary_dsn(self) -> str:
        """Connection address of the primary, as a superuser."""
        return _dsn(self._primary_port)

    @property
    def replica_dsn(self) -> str:
        """Connection address of the replica, as a superuser."""
        return _dsn(self._replica_port)

    @property
    def version(self) -> str:
        """The servers' version, as `postgres --version` says it."""
        return self._run("postgres", "--version")

    def start(self) -> Self:
        """Start both and wait until the replica streams.

        Raises:
            ServerUnavailable: one does not start; the message carries the end of its log.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="snowshed-postgres-"))
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        try:
            self._start_primary()
            self._start_replica()
        except BaseException:
            self.stop()
            raise
        return self

    def _start_primary(self) -> None:
        data = self._folder / "primary"
        self._run("initdb", "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write(_SETTINGS)
        self._start_server("primary", self._primary_port)
        self._execute(self.primary_dsn, "CREATE EXTENSION pg_stat_statements")

    def _start_replica(self) -> None:
        data = str(self._folder / "replica")
        source = f"host=127.0.0.1 port={self._primary_port} user=postgres application_name=replica"
        slot = ["-C", "-S", "replica"]
        self._run("pg_basebackup", "-d", source, "-D", data, "-R", "-X", "stream", *slot, "-c", "fast", "--no-sync")
        self._start_server("replica", self._replica_port)

    def _start_server(self, role: str, port: int) -> None:
        command = [*_as_postgres(), str(self._binaries / "postgres"), "-D", str(self._folder / role), "-p", str(port)]
        log = self._folder / f"{role}.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt at the terminal is for the test run, which then stops it
            )
        self._servers.append(server)
        deadline = time.monotonic() + _COMMAND_TIMEOUT
        while not _answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise ServerUnavailable(f"PostgreSQL's {role} does not start:\n{log.read_text()[-2000:]}")
            time.sleep(_POLL)

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [*_as_postgres(), str(self._binaries / program), *arguments],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_COMMAND_TIMEOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerUnavailable(f"PostgreSQL's {program} failed:\n{done.stdout}")
        return done.stdout.strip()

    def _execute(self, dsn: str, statement: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    def pause_replay(self) -> None:
        """Let the replica receive records without applying them: its lag grows with every write."""
        self._execute(self.replica_dsn, "SELECT pg_wal_replay_pause()")

    def resume_replay(self) -> None:
        """Let the replica catch up."""
        self._execute(self.replica_dsn, "SELECT pg_wal_replay_resume()")

    def pgbench(self, *, seconds: int, clients: int = 2, scale: int = 1, rate: float | None = None) -> float:
        """Write to the primary with the standard benchmark and give the transactions per second.

        Args:
            seconds: for how long.
            clients: connections.
            scale: size of the tables, made anew, in steps of 100 000 rows.
            rate: limit in transactions per second.
        """
        target = ["-h", "127.0.0.1", "-p", str(self._primary_port), "-U", "postgres"]
        self._run("pgbench", *target, "-i", "-q", "-s", str(scale), "postgres")
        limit = [] if rate is None else ["-R", str(rate)]
        report = self._run("pgbench", *target, "-T", str(seconds), "-c", str(clients), *limit, "postgres")
        found = re.search(r"tps = ([\d.]+)", report)
        if found is None:
            raise ServerUnavailable(f"pgbench reported no rate:\n{report}")
        return float(found.group(1))

    def stop(self) -> None:
        """Stop both and remove their folders."""
        for server in reversed(self._servers):
            server.send_signal(signal.SIGQUIT)  # at once: the data is thrown away
            server.wait(_COMMAND_TIMEOUT)
        self._servers.clear()
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *details: object) -> None:
        self.stop()
