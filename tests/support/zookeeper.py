"""A ZooKeeper ensemble of three as plain processes on the loopback interface."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker import free_ports

__all__ = ["Ensemble", "ensemble"]

_JAVA = Path("/usr/share/java")
_FLAGS = ["-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
_MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"


class Ensemble:
    """Three servers named 1, 2 and 3."""

    def __init__(self, folder: Path) -> None:
        if not (_JAVA / "zookeeper.jar").exists():
            raise ServerUnavailable(f"no zookeeper.jar in {_JAVA}: apt-get install zookeeper")
        self.members = tuple("123")
        self._folder = folder
        ports = free_ports(9)
        self._ports = dict(zip(self.members, ports[:3], strict=True))
        self._peers = [f"server.{name}=127.0.0.1:{ports[3 + i]}:{ports[6 + i]}" for i, name in enumerate(self.members)]
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where clients reach the members."""
        return tuple(f"127.0.0.1:{port}" for port in self._ports.values())

    def answers(self, command: str) -> dict[str, str]:
        """What each member that answers says to a four-letter command."""
        said = {member: self.ask(member, command) for member in self.members}
        return {member: text for member, text in said.items() if text}

    def start(self, member: str) -> None:
        """Start one server."""
        data = self._folder / member
        data.mkdir(exist_ok=True)
        (data / "myid").write_text(member)
        settings = data / "zoo.cfg"
        settings.write_text(
            "\n".join(
                [
                    "tickTime=500",
                    "initLimit=20",
                    "syncLimit=6",
                    f"dataDir={data}",
                    f"clientPort={self._ports[member]}",
                    "clientPortAddress=127.0.0.1",
                    "admin.enableServer=false",
                    "4lw.commands.whitelist=ruok,mntr,srvr",
                    *self._peers,
                ]
            )
        )
        command = ["java", *_FLAGS, "-cp", f"{_JAVA}/zookeeper.jar:{_JAVA}/*", _MAIN, str(settings)]
        self._servers[member] = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self, member: str) -> None:
        """End one server without a farewell."""
        server = self._servers.pop(member)
        server.kill()
        server.wait(30)

    def ask(self, member: str, command: str) -> str | None:
        """The answer to a four-letter command; None if there is none."""
        try:
            with socket.create_connection(("127.0.0.1", self._ports[member]), 2) as connection:
                connection.sendall(command.encode())
                return connection.makefile().read()
        except OSError:
            return None

    def stop(self) -> None:
        """End what runs."""
        for member in list(self._servers):
            self.kill(member)


@contextmanager
def ensemble() -> Generator[Ensemble]:
    """A running ensemble, removed on exit."""
    folder = Path(tempfile.mkdtemp(prefix="snowshed-zookeeper-"))
    servers = Ensemble(folder)
    try:
        for member in servers.members:
            servers.start(member)
        yield servers
    finally:
        servers.stop()
        shutil.rmtree(folder)
