"""How to reach Kafka, as one value that every client is made from."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from snowshed.schemas.errors import ConfigurationError

__all__ = ["KafkaConnection", "Property"]

Property = str | int | float | bool
"""The value of a librdkafka property."""

_RECONNECT: Mapping[str, Property] = {"reconnect.backoff.max.ms": 1_000}
"""After a broker has come back, a client may still wait this long; librdkafka's own ten seconds would dominate."""

_PREFIX = "SNOWSHED_KAFKA__"
_SECRET = re.compile(r"password|secret|token|jaas|key\.pem|oauthbearer\.config")
_SERVER = re.compile(r"(?:[A-Za-z0-9_+]+://)?(?:[^\s:/\[\],]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """A Kafka cluster and the properties every client of it needs.

    Args:
        bootstrap: `host:port`, several separated by commas.
        properties: librdkafka properties, such as `security.protocol`.

    Raises:
        ConfigurationError: the bootstrap address is empty or malformed.
    """

    bootstrap: str
    properties: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if not self.bootstrap.strip():
            raise ConfigurationError("no Kafka address: set SNOWSHED_BOOTSTRAP to host:port, e.g. localhost:9092")
        for server in self.bootstrap.split(","):
            _check(server.strip())

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> KafkaConnection:
        """The connection in SNOWSHED_BOOTSTRAP and SNOWSHED_KAFKA__*: `SNOWSHED_KAFKA__A_B` sets property `a.b`."""
        properties = {_property(name): value for name, value in environ.items() if name.startswith(_PREFIX)}
        return cls(environ.get("SNOWSHED_BOOTSTRAP", ""), properties)

    def librdkafka(self, overrides: Mapping[str, Property] | None = None) -> dict[str, Property]:
        """The configuration of one client; `overrides` win over the connection's own properties."""
        return {"bootstrap.servers": self.bootstrap, **_RECONNECT, **self.properties, **(overrides or {})}

    def __repr__(self) -> str:
        shown = {name: "***" if _SECRET.search(name) else value for name, value in self.properties.items()}
        return f"KafkaConnection(bootstrap={self.bootstrap!r}, properties={shown!r})"


def _property(name: str) -> str:
    return name.removeprefix(_PREFIX).lower().replace("_", ".")


def _check(server: str) -> None:
    match = _SERVER.fullmatch(server)
    if match is None or not 0 < int(match[1]) < 65536:
        raise ConfigurationError(f"Kafka address {server!r} is not host:port, e.g. localhost:9092 or [::1]:9092")
