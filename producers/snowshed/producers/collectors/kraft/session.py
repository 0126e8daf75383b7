"""Asks servers of a Kafka cluster for the state of its quorum; the only module here that opens a connection."""

# aiokafka ships no type information.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

from aiokafka import conn
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
    for_code,
)

from snowshed.producers.collectors.kraft.answers import KRaftQuorum
from snowshed.producers.collectors.kraft.wire import DescribeQuorum, quorum_in
from snowshed.schemas.access import Access
from snowshed.schemas.errors import ConfigurationError

__all__ = ["QuorumSession"]

_TIMEOUT = 2.0
_CLIENT = "snowshed-agent"
_DENIED = 31
"""CLUSTER_AUTHORIZATION_FAILED."""

# aiokafka's own errors and a version it cannot speak are RuntimeErrors; what it cannot decode is a ValueError, what
# breaks the protocol an AssertionError, and a connection that was closed under a request may be a KeyError.
_FAILURES = (RuntimeError, OSError, ValueError, AssertionError, LookupError)


class QuorumSession:
    """Keeps a connection to each server and asks them all at once; another thread may close it meanwhile.

    Args:
        access: how to reach them.
        servers: `host:port` of each.
        timeout: seconds that all of them have to answer.

    Raises:
        OSError: a certificate or key cannot be read.
    """

    def __init__(self, access: Access, servers: Sequence[str], *, timeout: float = _TIMEOUT) -> None:
        self._security = access.security()
        self._servers = tuple(servers)
        self._timeout = timeout
        self._connections: dict[str, Any] = {}  # aiokafka's are not annotated
        self._busy = threading.Lock()
        self._runner: asyncio.Runner | None = None
        self._closing: WeakSet[asyncio.Future[None]] = WeakSet()
        """Ends of connections given up: TLS says good-bye in its own time. One that was never made has none."""

    def ask(self) -> list[KRaftQuorum]:
        """What the leader says, once for each server through which it answered in time.

        Raises:
            ConfigurationError: nothing was answered, and a server refused what only a person can mend.
        """
        with self._busy:
            if self._runner is None:
                self._runner = asyncio.Runner()
            found = self._runner.run(self._ask_all())
        quorums = [answer for answer in found if isinstance(answer, KRaftQuorum)]
        refusals = [answer for answer in found if isinstance(answer, ConfigurationError)]
        if refusals and not quorums:
            raise refusals[0]
        return quorums

    def close(self) -> None:
        """Give up the connections, after the question in progress; the next one makes others."""
        with self._busy:
            runner, self._runner = self._runner, None
            if runner is not None:
                runner.run(self._drop_all())
                runner.close()

    async def _ask_all(self) -> list[KRaftQuorum | ConfigurationError | None]:
        return await asyncio.gather(*map(self._asked, self._servers))

    async def _asked(self, server: str) -> KRaftQuorum | ConfigurationError | None:
        try:
            async with asyncio.timeout(self._timeout):
                code, quorum = quorum_in(await self._answer(server))
        except _FAILURES as error:
            self._drop(server)
            return _to_mend(server, error)
        return _refused(server) if code == _DENIED else quorum

    async def _answer(self, server: str) -> Any:
        kept = self._connections.get(server)
        if kept is not None:
            try:
                return await kept.send(DescribeQuorum())
            except RuntimeError:  # it was closed since the last question, as brokers do with sessions that expire
                self._drop(server)
        host, _, port = server.rpartition(":")
        new: Any = conn.AIOKafkaConnection(
            host.strip("[]"),
            int(port),
            client_id=_CLIENT,
            request_timeout_ms=int(1000 * self._timeout),
            **self._security,
        )
        self._connections[server] = new
        await new.connect()
        return await new.send(DescribeQuorum())

    def _drop(self, server: str) -> None:
        connection = self._connections.pop(server, None)
        ended = None if connection is None else connection.close()
        if ended is not None:
            self._closing.add(ended)

    async def _drop_all(self) -> None:
        for server in self._servers:
            self._drop(server)
        left = [ended for ended in self._closing if not ended.done()]
        if left:
            await asyncio.wait(left, timeout=self._timeout)
        self._closing.clear()


def _to_mend(server: str, error: BaseException) -> ConfigurationError | None:
    """The error in a person's words, where asking again cannot help."""
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return ConfigurationError(f"kafka {server}: TLS fails: {error}; see the ssl.* properties of the agent")
    if isinstance(error, SaslAuthenticationFailed | UnsupportedSaslMechanismError):
        return ConfigurationError(f"kafka {server}: {error}; see the sasl.* properties of the agent")
    if isinstance(error, IncompatibleBrokerVersion | NotImplementedError):
        return ConfigurationError(
            f"kafka {server}: it does not know DescribeQuorum 1: only Kafka from 3.3 on, in KRaft mode, can be asked"
        )
    return None


def _refused(server: str) -> ConfigurationError:
    return ConfigurationError(
        f"kafka {server}: {for_code(_DENIED).__name__}. Grant DESCRIBE on the cluster to the agent's user: "
        "kafka-acls.sh --add --cluster --operation Describe --allow-principal User:…"
    )
