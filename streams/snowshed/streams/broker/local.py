"""A real Kafka broker as a child process: one KRaft node on the loopback interface, run by the system's Java."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from snowshed.schemas.errors import BrokerUnavailable

from . import ownership
from .jars import KAFKA_VERSION, ensure_jars
from .java import Java, find_java
from .jvm import ending_with_parent, java_command
from .maven import Progress, silent
from .node import CLUSTER_ID, as_properties, loopback_listeners, single_node
from .package_data import package_data
from .ports import LOOPBACK, free_ports, is_free
from .readiness import wait_ready

__all__ = ["LocalKafka"]

_FORMAT_TIMEOUT = 120.0
_TAIL_LINES = 15


class _PortTaken(BrokerUnavailable):
    """Another process bound the port between its choice and the broker's start."""


@dataclass(frozen=True, slots=True)
class _Runtime:
    """What runs a broker."""

    java: Java
    jars: Path


class LocalKafka:
    """One Kafka node in a child process; also a context manager that starts and closes it.

    The broker ends with this process even when that is killed, provided the main thread called `start` and setpriv
    (util-linux) is installed. A broker that survives all the same is found by the next `start` on its data folder,
    which then names its process id.

    Args:
        data: folder that keeps the broker's records, configuration and log between starts; without it a temporary one,
            which `close` removes.
        port: where clients connect; chosen at the first `start` when absent, and kept from then on.
        controller_port: where the other nodes of a cluster connect; another one at each start when absent.
        extra: broker settings that replace ours.
        client: librdkafka properties that clients of the broker need, where `extra` asks for more than plain text.
        progress: told of each slow step.
    """

    def __init__(
        self,
        data: Path | None = None,
        *,
        port: int | None = None,
        controller_port: int | None = None,
        extra: Mapping[str, str] | None = None,
        client: Mapping[str, str] | None = None,
        progress: Progress = silent,
    ) -> None:
        self._data = data
        self._temporary = data is None
        self._port = port
        self._controller_port = controller_port
        self._extra = dict(extra or {})
        self._client = dict(client or {})
        self._progress = progress
        self._runtime: _Runtime | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def bootstrap(self) -> str:
        """The address clients connect to; stays the same from the first start on."""
        if self._port is None:
            raise BrokerUnavailable("the broker has no address before its first start")
        return f"{LOOPBACK}:{self._port}"

    @property
    def data(self) -> Path:
        """The folder that holds the broker's records."""
        if self._data is None:
            self._data = Path(tempfile.mkdtemp(prefix="snowshed-kafka-"))
        return self._data

    @property
    def pid(self) -> int | None:
        """The broker's process id, None while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self, timeout: float = 60.0) -> Self:
        """Start the broker and wait until it serves clients.

        Args:
            timeout: seconds a formatted broker may take.

        Raises:
            BrokerUnavailable: Java or the jars are missing, the folder or the port is taken, or the broker ended; in
                the last case the message carries the end of its log.
        """
        if self.pid is not None:
            return self
        try:
            self._start(timeout)
        except BaseException:
            self.close()
            raise
        return self

    def _start(self, timeout: float) -> None:
        fixed = self._port is not None
        for attempt in range(3):
            try:
                self.launch()
                self.wait_ready(timeout)
            except _PortTaken:
                self._end(grace=0.0)
                if fixed or attempt == 2:
                    raise
                self._port = None
            else:
                return

    def prepare(self) -> _Runtime:
        """Make what `launch` needs, which else does it; unlike a launch this may be done in any thread."""
        if self._runtime is None:
            java = find_java()
            self._runtime = _Runtime(java, ensure_jars(java, progress=self._progress))
        self._prepare_folder()
        if not self._records.is_dir():
            self._format(self._runtime)
        return self._runtime

    def launch(self) -> None:
        """Start the broker without waiting for it, as a node must be that is one of several: alone it serves nobody.

        Raises:
            BrokerUnavailable: Java or the jars are missing, or the folder or the port is taken.
        """
        runtime = self.prepare()
        client_port, controller_port = free_ports(2)
        self._port = self._port or client_port
        self._launch(runtime, self._port, self._controller_port or controller_port)

    def wait_ready(self, timeout: float = 60.0, *, brokers: int = 1) -> None:
        """Wait until the broker lists that many brokers, itself for example.

        Raises:
            BrokerUnavailable: the time (seconds) is up or the broker ended.
        """
        wait_ready(self.bootstrap, brokers=brokers, timeout=timeout, check=self._check_alive, client=self._client)

    def _prepare_folder(self) -> None:
        (self.data / "tmp").mkdir(parents=True, exist_ok=True)
        if (pid := ownership.holder(self.data)) is not None:
            raise BrokerUnavailable(
                f"{self.data} is held by the broker with pid {pid}, which an earlier run left behind or still uses; "
                f"end it (kill {pid}) or choose another data folder"
            )
        (self.data / "log4j2.properties").write_bytes(package_data("log4j2.properties"))

    def _launch(self, runtime: _Runtime, port: int, controller_port: int) -> None:
        if not is_free(port):  # or the readiness check would be answered by a stranger
            raise _PortTaken(f"port {port} is taken by another process; end it or choose another port")
        self._progress(f"Starting Apache Kafka {KAFKA_VERSION} on Java {runtime.java.version}")
        properties = self._write_properties("server.properties", self._records, port, controller_port)
        command = java_command(runtime.java, runtime.jars, self.data, "kafka.Kafka", str(properties))
        with self._open_log() as log:
            self._process = subprocess.Popen(
                ending_with_parent(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt at the terminal is for the parent, which then stops the broker
            )
        ownership.claim(self.data, self._process.pid)

    @property
    def _records(self) -> Path:
        return self.data / "records"

    def _write_properties(self, name: str, records: Path, port: int, controller_port: int) -> Path:
        path = self.data / name
        settings = single_node(str(records), loopback_listeners(port, controller_port), self._extra)
        path.write_text(as_properties(settings))
        return path

    def _format(self, runtime: _Runtime) -> None:
        # Under its final name a folder is always completely formatted; ports are not part of it.
        fresh = self.data / "records.new"
        shutil.rmtree(fresh, ignore_errors=True)
        properties = self._write_properties("format.properties", fresh, 1, 2)
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties)]
        with self._open_log() as log:
            done = subprocess.run(
                java_command(runtime.java, runtime.jars, self.data, *tool),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=_FORMAT_TIMEOUT,
                check=False,
            )
        if done.returncode:
            raise BrokerUnavailable(f"Kafka's data folder {fresh} could not be formatted:\n{self._log_tail()}")
        fresh.rename(self._records)

    def _open_log(self) -> IO[bytes]:
        log = (self.data / "broker.log").open("ab")
        self._log_start = log.tell()
        return log

    def _log_tail(self) -> str:
        """The last lines the broker wrote since its latest start, without the frames of its stack traces."""
        written = (self.data / "broker.log").read_bytes()[self._log_start :]
        lines = written.decode(errors="replace").strip().splitlines()
        return "\n".join([line for line in lines if not line.startswith("\tat ")][-_TAIL_LINES:])

    def _check_alive(self) -> None:
        if self.pid is not None:
            return
        tail = self._log_tail()
        if "Address already in use" in tail:
            raise _PortTaken(f"the broker's port is taken by another process; choose another port:\n{tail}")
        raise BrokerUnavailable(f"the broker ended while starting; the last lines of its log:\n{tail}")

    def _end(self, grace: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if grace > 0:
            process.terminate()
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                self._progress(f"The broker did not stop within {grace:.0f} s and is killed")
        process.kill()
        process.wait()
        ownership.release(self.data)

    def stop(self, grace: float = 15.0) -> None:
        """Stop the broker in order, or kill it after the grace (seconds); the data stays for another start."""
        self._end(grace)

    def kill(self) -> None:
        """End the broker by SIGKILL, as a crash would; the data stays for another start."""
        self._end(0.0)

    def restart(self, timeout: float = 60.0) -> None:
        """Stop the broker if it runs and start it on the same data and port."""
        self.stop()
        self.start(timeout)

    def close(self) -> None:
        """Stop the broker and remove its folder if it is a temporary one."""
        self.stop()
        if self._temporary and self._data is not None:
            shutil.rmtree(self._data, ignore_errors=True)
            self._data = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *details: object) -> None:
        self.close()
