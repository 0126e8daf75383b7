"""A MariaDB primary and its replica."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.support.sql_pair import SqlPair

from snowshed.schemas.errors import ServerUnavailable

__all__ = ["MariaDbPair"]

_SETTINGS = (
    "--gtid-strict-mode=1",
    "--innodb-buffer-pool-size=16M",
    "--innodb-log-file-size=8M",
)
_COUNTING = ("--performance-schema=1", "--performance-schema-digests-size=500")


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise ServerUnavailable(f"no {name} on the path: apt-get install mariadb-server")
    return found


class MariaDbPair(SqlPair):
    """Both from the system's package; only the primary has its performance schema on."""

    product = "MariaDB"
    grant = "SLAVE MONITOR ON *.*"
    _owner = "mysql"
    _by_ids = "MASTER_USE_GTID = slave_pos"
    _done = "SELECT @@gtid_binlog_pos"
    _applied = "SELECT MASTER_GTID_WAIT('{ids}', {seconds})"

    def __init__(self) -> None:
        super().__init__()
        self._server, self._installer = _program("mariadbd"), _program("mariadb-install-db")

    def _install(self, data: Path) -> None:
        own = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        self._run(self._installer, "--no-defaults", f"--datadir={data}", *own)

    def _command(self, number: int) -> Sequence[str]:
        counting = _COUNTING if number == 0 else ("--performance-schema=0",)
        return self._server, *_SETTINGS, *counting
