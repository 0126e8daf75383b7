"""A MariaDB primary and its replica as plain processes on the loopback interface."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import pymysql  # type: ignore[import-untyped]  # it has none

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker import free_ports

__all__ = ["MariaDbPair"]

_TIMEOUT = 60.0
_POLL = 0.05
_SETTINGS = (
    "--bind-address=127.0.0.1",
    "--log-bin=binlog",
    "--log-slave-updates",
    "--gtid-strict-mode=1",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=16M",
    "--innodb-log-file-size=8M",
    "--performance-schema=0",
    "--skip-name-resolve",
)


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise ServerUnavailable(f"no {name} on the path: apt-get install mariadb-server")
    return found


def _as_mysql() -> list[str]:
    """What runs a command as a user the server accepts, and ends it when this process is killed."""
    user = ["--reuid", "mysql", "--regid", "mysql", "--init-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *user, "--pdeathsig", "KILL"]


class MariaDbPair:
    """A context manager that runs both servers and removes them; their user `root` has no password."""

    def __init__(self) -> None:
        self._server, self._install = _program("mariadbd"), _program("mariadb-install-db")
        self._ports = free_ports(2)
        self._folder = Path()
        self._servers: list[subprocess.Popen[bytes]] = []

    @property
    def primary_url(self) -> str:
        """Address of the primary, as an administrator."""
        return f"mysql://root@127.0.0.1:{self._ports[0]}"

    @property
    def replica_url(self) -> str:
        """Address of the replica, as an administrator."""
        return f"mysql://root@127.0.0.1:{self._ports[1]}"

    @property
    def replica_process(self) -> int:
        """The replica's process."""
        return self._servers[1].pid

    def start(self) -> Self:
        """Start both and wait until the replica follows.

        Raises:
            ServerUnavailable: one does not start; the message carries the end of its log.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="snowshed-mariadb-"))
        if os.geteuid() == 0:
            shutil.chown(self._folder, "mysql", "mysql")
        try:
            for number in (0, 1):
                self._start_server(number)
            self._follow()
        except BaseException:
            self.stop()
            raise
        return self

    def _start_server(self, number: int) -> None:
        data, log = self._folder / f"data{number}", self._folder / f"server{number}.log"
        common = ["--no-defaults", f"--datadir={data}"]
        install = [*_as_mysql(), self._install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        done = subprocess.run(install, capture_output=True, timeout=_TIMEOUT, text=True, check=False, cwd=self._folder)
        if done.returncode:
            raise ServerUnavailable(f"mariadb-install-db failed:\n{done.stdout}{done.stderr}")
        command = [*_as_mysql(), self._server, *common, *_SETTINGS, f"--port={self._ports[number]}"]
        own = [f"--server-id={number + 1}", f"--socket={self._folder}/{number}.sock", f"--pid-file={data}/pid"]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [*command, *own],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt at the terminal is for the test run, which then stops it
            )
        self._servers.append(server)
        deadline = time.monotonic() + _TIMEOUT
        while not self._answers(number):
            if server.poll() is not None or time.monotonic() > deadline:
                raise ServerUnavailable(f"MariaDB does not start:\n{log.read_text()[-2000:]}")
            time.sleep(_POLL)

    def _answers(self, number: int) -> bool:
        try:
            self.execute(number, "SELECT 1")
        except pymysql.MySQLError:
            return False
        return True

    def _follow(self) -> None:
        self.execute(0, "CREATE USER follower@'127.0.0.1'")
        self.execute(0, "GRANT REPLICATION SLAVE ON *.* TO follower@'127.0.0.1'")
        source = f"MASTER_HOST = '127.0.0.1', MASTER_PORT = {self._ports[0]}, MASTER_USER = 'follower'"
        self.execute(1, f"CHANGE MASTER TO {source}, MASTER_USE_GTID = slave_pos", "START SLAVE")

    def execute(self, number: int, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements at the primary, 0, or the replica, 1, and give the rows of the last."""
        connection = pymysql.connect(
            host="127.0.0.1", port=self._ports[number], user="root", autocommit=True, connect_timeout=5
        )
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def pause_replay(self) -> None:
        """Let the replica receive transactions without applying them: its lag grows with every write."""
        self.execute(1, "STOP SLAVE SQL_THREAD")

    def resume_replay(self) -> None:
        """Let the replica catch up."""
        self.execute(1, "START SLAVE SQL_THREAD")

    def stop(self) -> None:
        """Stop both and remove their folders."""
        for server in reversed(self._servers):
            server.send_signal(signal.SIGKILL)  # at once: the data is thrown away
            server.wait(_TIMEOUT)
        self._servers.clear()
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *details: object) -> None:
        self.stop()
