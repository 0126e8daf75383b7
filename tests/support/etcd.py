"""An etcd cluster of three as plain processes on the loopback interface."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker import free_ports

__all__ = ["EtcdCluster", "etcd_cluster"]


class EtcdCluster:
    """Members that run on one machine.

    Args:
        folder: where they keep their data.
        members: a name of one letter for each.
    """

    def __init__(self, folder: Path, members: str) -> None:
        program = shutil.which("etcd")
        if program is None:
            raise ServerUnavailable("no etcd on the path: apt-get install etcd-server")
        self.members = tuple(members)
        self._program = program
        self._folder = folder
        ports = free_ports(2 * len(members))
        self._clients = dict(zip(self.members, ports[::2], strict=True))
        self._peers = dict(zip(self.members, ports[1::2], strict=True))
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    def url(self, member: str) -> str:
        """Where clients reach a member."""
        return f"http://127.0.0.1:{self._clients[member]}"

    @property
    def urls(self) -> tuple[str, ...]:
        """Where clients reach the members."""
        return tuple(map(self.url, self.members))

    def start(self, member: str) -> None:
        """Start one member."""
        peers = {name: f"http://127.0.0.1:{port}" for name, port in self._peers.items()}
        options = {
            "name": member,
            "data-dir": str(self._folder / member),
            "listen-client-urls": self.url(member),
            "advertise-client-urls": self.url(member),
            "listen-peer-urls": peers[member],
            "initial-advertise-peer-urls": peers[member],
            "initial-cluster": ",".join(f"{name}={url}" for name, url in peers.items()),
        }
        self._servers[member] = subprocess.Popen(
            [self._program, *(f"--{name}={value}" for name, value in options.items())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self, member: str) -> None:
        """End one member without a farewell."""
        server = self._servers.pop(member)
        server.kill()
        server.wait(30)

    def stop(self) -> None:
        """End what runs."""
        for member in list(self._servers):
            self.kill(member)


@contextmanager
def etcd_cluster(members: str = "abc") -> Generator[EtcdCluster]:
    """A running cluster, removed on exit."""
    folder = Path(tempfile.mkdtemp(prefix="snowshed-etcd-"))
    cluster = EtcdCluster(folder, members)
    try:
        for member in cluster.members:
            cluster.start(member)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)
