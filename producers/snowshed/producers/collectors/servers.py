"""Which servers hold a dataset: a source and its replicas, by their addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from snowshed.schemas.errors import ConfigurationError

__all__ = ["RowPeriods", "Servers", "checked_name", "checked_periods", "distinct_places", "named_places"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# A comma also stands between the hosts of one address: only one before `name=` and another address separates. An
# address is a URL or, for PostgreSQL, libpq's `keyword=value` pairs.
_SEPARATOR = re.compile(r",\s*(?=[A-Za-z0-9][A-Za-z0-9._-]*=(?:[a-z]+://|[a-z_]+\s*=))")

_PLACE = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})")


def checked_name(name: str) -> str:
    """The name of a dataset or a server.

    Raises:
        ConfigurationError: it is not letters, digits, `.`, `_` and `-`.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no name for a dataset or server: use letters, digits, . _ -")
    return name


def distinct_places(places: Sequence[str]) -> bool:
    """Whether these are one or more addresses, each as `host:port` and none twice."""
    return bool(places) and len({*places}) == len(places) and all(map(_PLACE.fullmatch, places))


def named_places(text: str) -> tuple[str, tuple[str, ...]]:
    """The name and the parts in `name=part,part,…`, as typed on a command line; neither is checked."""
    name, _, parts = text.strip().partition("=")
    return name, tuple(part.strip() for part in parts.split(",") if part.strip())


def checked_periods(**periods: float) -> None:
    """Refuse what cannot be a period in seconds.

    Raises:
        ConfigurationError: one is not between 0.01 and 3600.
    """
    for name, seconds in periods.items():
        if not 0.01 <= seconds <= 3600:
            raise ConfigurationError(f"period {name}={seconds!r} is not between 0.01 and 3600 seconds")


@dataclass(frozen=True, slots=True)
class Servers:
    """A dataset, its source and its replicas; addresses are not shown, for they may hold passwords.

    Args:
        dataset: its name in markers.
        source_url: address of the source.
        replicas: addresses by replica name.
        source: name of the source among the servers of the dataset.

    Raises:
        ConfigurationError: a name has other characters than letters, digits, `.`, `_` and `-`, or is used twice.
    """

    dataset: str
    source_url: str = field(repr=False)
    replicas: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    source: str = "primary"

    def __post_init__(self) -> None:
        for name in (self.dataset, self.source, *self.replicas):
            checked_name(name)
        if self.source in self.replicas:
            raise ConfigurationError(f"dataset {self.dataset}: {self.source!r} names both the source and a replica")

    @classmethod
    def parse(cls, text: str) -> Servers:
        """The servers in `dataset=URL,replica=URL,…`, as typed on a command line.

        Raises:
            ConfigurationError: a part is not `name=URL`, or a replica is named twice; no URL is shown.
        """
        parts = [part.partition("=") for part in _SEPARATOR.split(text.strip())]
        for position, (name, _, url) in enumerate(parts, start=1):
            if not (_NAME.fullmatch(name) and url):
                raise ConfigurationError(
                    f"part {position} of a dataset's servers is not name=URL; write for instance "
                    "orders=postgresql://user@db1/shop,r1=postgresql://user@db2/shop"
                )
        (dataset, _, source_url), *rest = parts
        replicas = {name: url for name, _, url in rest}
        if len(replicas) < len(rest):
            raise ConfigurationError(f"dataset {dataset}: a replica is named twice")
        return cls(dataset, source_url, MappingProxyType(replicas))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPeriods:
    """How often what is done, in seconds."""

    row: float = 0.5
    """Between two heartbeat rows; the interval of a lag is at least this wide."""
    poll: float = 0.25
    """Between two looks at a replica."""
    state: float = 5.0
    """Between two looks at what replication says of itself."""
    statements: float = 1.0
    """Between two reads of the statement counters."""

    def __post_init__(self) -> None:
        checked_periods(row=self.row, poll=self.poll, state=self.state, statements=self.statements)
