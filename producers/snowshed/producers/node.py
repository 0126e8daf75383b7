"""Who reports: one process of a service on a host."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, replace
from typing import Self

from snowshed.schemas.errors import ConfigurationError

__all__ = ["Node"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One process of a service, as it appears in every record it sends.

    Args:
        name: unique in the fleet.
        service: what it is a part of.
        pid: the process the name was made for.
    """

    name: str
    service: str
    zone: str = ""
    region: str = ""
    role: str = ""
    host: str = ""
    version: str = ""
    pid: int = 0

    def __post_init__(self) -> None:
        if not self.name or not self.service:
            raise ConfigurationError(f"a node needs a name and a service, not {self.name!r} and {self.service!r}")

    @classmethod
    def here(
        cls,
        service: str,
        name: str | None = None,
        *,
        zone: str = "",
        region: str = "",
        role: str = "",
        version: str = "",
    ) -> Self:
        """This process; named `<service>@<host>:<pid>` unless a name is given."""
        host, pid = socket.gethostname(), os.getpid()
        return cls(
            name=name or f"{service}@{host}:{pid}",
            service=service,
            zone=zone,
            region=region,
            role=role,
            host=host,
            version=version,
            pid=pid,
        )

    def in_child(self) -> Self:
        """This node in a forked child: the process id in the name, or put after it, is the child's."""
        pid = os.getpid()
        return replace(self, name=f"{self.name.removesuffix(f':{self.pid}')}:{pid}", pid=pid)
