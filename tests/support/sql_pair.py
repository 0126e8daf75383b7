"""A primary and its replica of the MySQL family as plain processes on the loopback interface."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pymysql  # type: ignore[import-untyped]  # it has none

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker import free_ports

__all__ = ["SqlPair"]

_TIMEOUT = 60.0
_POLL = 0.05
_SETTINGS = (
    "--bind-address=127.0.0.1",
    "--log-bin=binlog",
    "--log-slave-updates",
    "--innodb-flush-log-at-trx-commit=2",  # what is committed outlives its server, though not the machine
    "--skip-name-resolve",
)


class SqlPair(ABC):
    """A context manager that runs both servers and removes them; their user `root` has no password."""

    product: str
    grant: str
    """What a user needs to see what replication says of itself."""

    _owner: str
    """Whom the servers are run as by root."""
    _by_ids: str
    """What makes a replica follow by transaction ids."""
    _done: str
    """Asks the primary for the ids of all its transactions."""
    _applied: str
    """Lets the replica wait for those `{ids}` for `{seconds}`, and says 0 once it has applied them."""

    def __init__(self) -> None:
        self._ports = free_ports(2)
        self._folder = Path()
        self._servers: dict[int, subprocess.Popen[bytes]] = {}

    @abstractmethod
    def _install(self, data: Path) -> None:
        """Make the files of an empty server."""

    @abstractmethod
    def _command(self, number: int) -> Sequence[str]:
        """The server's program and the options that are its own."""

    @property
    def primary_url(self) -> str:
        """Address of the primary, as an administrator."""
        return self.url(0)

    @property
    def replica_url(self) -> str:
        """Address of the replica, as an administrator."""
        return self.url(1)

    def url(self, number: int, credentials: str = "root") -> str:
        """Address of the primary, 0, or the replica, 1, for somebody who has a password."""
        return f"mysql://{credentials}@127.0.0.1:{self._ports[number]}"

    @contextmanager
    def frozen_replica(self) -> Generator[None]:
        """Let the replica keep its connections and answer nobody."""
        process = self._servers[1].pid
        os.kill(process, signal.SIGSTOP)
        os.waitid(os.P_PID, process, os.WSTOPPED)  # until its last thread stands still
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    def start(self) -> Self:
        """Start both and let the replica follow.

        Raises:
            ServerUnavailable: one does not start; the message carries the end of its log.
        """
        self._folder = Path(tempfile.mkdtemp(prefix=f"snowshed-{self.product.lower()}-"))
        if os.geteuid() == 0:
            shutil.chown(self._folder, self._owner, self._owner)
        try:
            self._install_both()
            for number in (0, 1):
                self._start_server(number)
            self._follow()
        except BaseException:
            self.stop()
            raise
        return self

    def _install_both(self) -> None:
        for number in (0, 1):
            self._install(self._data(number))

    def _data(self, number: int) -> Path:
        return self._folder / f"data{number}"

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            [*self._as_owner(), *command],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerUnavailable(f"{Path(command[0]).name} failed:\n{done.stdout[-2000:]}")

    def _as_owner(self) -> list[str]:
        """What runs a command as a user the server accepts, and ends it when this process is killed."""
        user = ["--reuid", self._owner, "--regid", self._owner, "--init-groups"] if os.geteuid() == 0 else []
        return ["setpriv", *user, "--pdeathsig", "KILL"]

    def _start_server(self, number: int, *options: str) -> None:
        data, log = self._data(number), self._folder / f"server{number}.log"
        (self._folder / f"{number}.sock.lock").unlink(missing_ok=True)  # of one that was killed
        program, *own = self._command(number)
        place = [f"--datadir={data}", f"--port={self._ports[number]}", f"--socket={self._folder}/{number}.sock"]
        name = [f"--server-id={number + 1}", f"--pid-file={data}/pid"]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [*self._as_owner(), program, "--no-defaults", *_SETTINGS, *own, *place, *name, *options],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt at the terminal is for the test run, which then stops it
            )
        self._servers[number] = server
        deadline = time.monotonic() + _TIMEOUT
        while not self._answers(number):
            if server.poll() is not None or time.monotonic() > deadline:
                raise ServerUnavailable(f"{self.product} does not start:\n{log.read_text()[-2000:]}")
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
        self._link()

    def _link(self) -> None:
        source = f"MASTER_HOST = '127.0.0.1', MASTER_PORT = {self._ports[0]}, MASTER_USER = 'follower'"
        self.execute(1, f"CHANGE MASTER TO {source}, MASTER_CONNECT_RETRY = 1, {self._by_ids}", "START SLAVE")

    def execute(self, number: int, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements at the primary, 0, or the replica, 1, and give the rows of the last."""
        connection = self.connect(number)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def connect(self, number: int) -> Any:
        """A connection to the primary, 0, or the replica, 1, as an administrator."""
        return pymysql.connect(
            host="127.0.0.1", port=self._ports[number], user="root", autocommit=True, connect_timeout=5
        )

    def stopped(self) -> str:
        """What the replica says of itself where it does not follow its source; empty where it does."""
        connection = self.connect(1)
        try:
            with connection.cursor(pymysql.cursors.DictCursor) as cursor:
                cursor.execute("SHOW SLAVE STATUS")
                [status] = cursor.fetchall()
        finally:
            connection.close()
        runs = {name: status[f"Slave_{name}_Running"] for name in ("IO", "SQL")}
        errors = {name: status[f"Last_{name}_Error"] for name in runs}
        return "" if set(runs.values()) == {"Yes"} else f"{runs} {errors}"

    def delay_replay(self, seconds: int) -> None:
        """Let the replica apply each transaction so long after its commit."""
        self.execute(1, "STOP SLAVE", f"CHANGE MASTER TO MASTER_DELAY = {seconds}", "START SLAVE")

    def pause_replay(self) -> None:
        """Let the replica receive transactions without applying them: its lag grows with every write."""
        self.execute(1, "STOP SLAVE SQL_THREAD")

    def resume_replay(self) -> None:
        """Let the replica catch up."""
        self.execute(1, "START SLAVE SQL_THREAD")

    def cut_off(self) -> None:
        """Take the replica from its source: it applies what it has and receives nothing."""
        self.execute(1, "STOP SLAVE IO_THREAD")

    def link(self) -> None:
        """Let the replica receive again."""
        self.execute(1, "START SLAVE IO_THREAD")

    def kill_replica(self) -> None:
        """End the replica without a farewell, once it has applied all that the primary has done.

        A MariaDB that is killed between writing a `CREATE TABLE` to its binary log and noting it as applied is given it
        again when it is back, and stops, for its strict mode takes no id twice (4 of 30 kills just behind a DDL).
        """
        [(ids,)] = self.execute(0, self._done)
        [(answer,)] = self.execute(1, self._applied.format(ids=ids, seconds=_TIMEOUT))
        if answer != 0:
            raise ServerUnavailable(f"the replica does not follow {self.product}'s primary: {self.stopped()}")
        self._kill(1)

    def restart_replica(self, *options: str) -> None:
        """Start the replica after `kill_replica`; it follows its source again."""
        self._start_server(1, *options)

    def rebuild_replica(self) -> None:
        """Begin with an empty replica in the place of the one that is: it takes in all that the primary ever did."""
        self._kill(1)
        shutil.rmtree(self._data(1))
        self._install(self._data(1))
        self._start_server(1)
        self._link()

    def _kill(self, number: int) -> None:
        server = self._servers.pop(number)
        server.send_signal(signal.SIGKILL)  # at once: no test needs its farewell
        server.wait(_TIMEOUT)

    def stop(self) -> None:
        """Stop both and remove their folders."""
        for number in list(self._servers):
            self._kill(number)
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *details: object) -> None:
        self.stop()
