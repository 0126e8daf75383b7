"""Asks every member of an etcd cluster how it stands."""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

from snowshed.producers.collectors.address import Address
from snowshed.producers.collectors.base import Clock, QuorumSeen, Reading
from snowshed.producers.collectors.etcd.answers import from_status
from snowshed.producers.collectors.servers import checked_name
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.members import MemberReport

__all__ = ["SYSTEM", "Etcd", "EtcdTarget"]

SYSTEM = "etcd"
"""The `system` of answers taken here."""

_SEPARATOR = re.compile(r",\s*(?=https?://)")
_OPTIONS = frozenset({"cacert", "cert", "key"})
_PATH = "/v3/maintenance/status"
_PORT = 2379
_TIMEOUT = 2.0
_PERIOD = 1.0


@dataclass(frozen=True, slots=True)
class EtcdTarget:
    """A cluster to watch.

    Args:
        dataset: its name in Snowshed.
        members: the client URL of every voting member; `cacert`, `cert` and `key` in its query name files for TLS.

    Raises:
        ConfigurationError: a name or an address has another form, or a member stands twice.
    """

    dataset: str
    members: tuple[str, ...]

    def __post_init__(self) -> None:
        checked_name(self.dataset)
        if len(set(map(str, self.addresses))) < len(self.members) or not self.members:
            raise ConfigurationError(
                f"etcd {self.dataset}: name each voting member once by its client URL, "
                "as in kv=http://e1:2379,http://e2:2379,http://e3:2379"
            )

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where the members are."""
        return tuple(
            Address.parse(f"etcd {self.dataset}", member, ("http", "https"), _OPTIONS) for member in self.members
        )

    @classmethod
    def parse(cls, text: str) -> EtcdTarget:
        """The cluster in `dataset=URL,URL,…`."""
        dataset, _, members = text.strip().partition("=")
        return cls(dataset, tuple(part.strip() for part in _SEPARATOR.split(members) if part.strip()))


class Etcd:
    """Asks all members at once over their HTTP gateway; who does not answer in time is left out.

    Args:
        target: the cluster.
        period: seconds between two rounds.

    Raises:
        ConfigurationError: a file for TLS cannot be used.
    """

    def __init__(self, target: EtcdTarget, *, period: float = _PERIOD) -> None:
        self.name = f"etcd cluster {target.dataset}"
        self.period = period
        self._dataset = target.dataset
        self._members = [(address, _tls(target.dataset, address)) for address in target.addresses]

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Ask every member once; that none answers is a reading too.

        Raises:
            ConfigurationError: a member answers and is no etcd, or wants another certificate.
        """
        asked_at = clock.wall()
        with ThreadPoolExecutor(len(self._members)) as threads:
            reports = list(threads.map(_report, self._members, repeat(clock)))
        return [
            QuorumSeen(
                dataset=self._dataset,
                system=SYSTEM,
                asked_at=asked_at,
                period=self.period,
                voters=tuple(str(address) for address, _ in self._members),
                reports=tuple(report for report in reports if report is not None),
            )
        ]

    def close(self) -> None:
        """Nothing stays open between rounds."""


def _tls(dataset: str, address: Address) -> ssl.SSLContext | None:
    if address.scheme == "http":
        return None
    files = address.options
    try:
        context = ssl.create_default_context(cafile=files.get("cacert"))
        if "cert" in files:
            context.load_cert_chain(files["cert"], files.get("key"))
    except OSError as error:  # ssl.SSLError is one too
        raise ConfigurationError(
            f"etcd {dataset}: {address}: a file named by cacert, cert or key cannot be used: {error}"
        ) from None
    return context


def _report(member: tuple[Address, ssl.SSLContext | None], clock: Clock) -> MemberReport | None:
    address, tls = member
    try:
        code, body = _asked(address, tls)
    except ssl.SSLError as error:
        raise ConfigurationError(f"etcd {address}: TLS fails: {error}; see cacert, cert and key") from None
    except (OSError, http.client.HTTPException):
        return None
    if code >= http.client.INTERNAL_SERVER_ERROR:
        return None
    try:
        return from_status(str(address), body, clock.wall())
    except ValueError as error:
        raise ConfigurationError(f"etcd {address}: answers {code} to {_PATH}: {error}") from None


def _asked(address: Address, tls: ssl.SSLContext | None) -> tuple[int, bytes]:
    port = address.port or _PORT
    if tls is None:
        connection = http.client.HTTPConnection(address.host, port, timeout=_TIMEOUT)
    else:
        connection = http.client.HTTPSConnection(address.host, port, timeout=_TIMEOUT, context=tls)
    try:
        connection.request("POST", _PATH, b"{}", {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
