"""Which PostgreSQL servers to watch, and the collectors that do it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from snowshed.producers.collectors.base import Collector
from snowshed.producers.collectors.position import SourcePosition
from snowshed.producers.collectors.postgres.dsn import redact
from snowshed.producers.collectors.postgres.replica_row import READER_SETTINGS, ReplicaRow
from snowshed.producers.collectors.postgres.session import Session
from snowshed.producers.collectors.postgres.source_row import WRITER_SETTINGS, SourceRow
from snowshed.producers.collectors.postgres.standbys import Standbys
from snowshed.producers.collectors.postgres.statements import Statements
from snowshed.schemas.errors import ConfigurationError

__all__ = ["PostgresPeriods", "PostgresTarget", "postgres_collectors"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# A comma also stands between the hosts of one connection string: only one before `name=` and another string separates.
_SEPARATOR = re.compile(r",\s*(?=[A-Za-z0-9][A-Za-z0-9._-]*=(?:postgres(?:ql)?://|[a-z_]+\s*=))")
_STANDBY_PERIOD = 5.0


@dataclass(frozen=True, slots=True)
class PostgresTarget:
    """A dataset on PostgreSQL: its primary and its streaming replicas.

    Passwords are better kept in ~/.pgpass or PGPASSFILE than in a connection string.

    Args:
        dataset: its name in markers, and the callee in timings.
        primary_dsn: libpq connection string of the primary.
        replicas: connection strings by replica name.
        primary: name of the primary among the servers of the dataset.

    Raises:
        ConfigurationError: a name is not letters, digits, `.`, `_` and `-`, or is used twice.
    """

    dataset: str
    primary_dsn: str
    replicas: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    primary: str = "primary"

    def __post_init__(self) -> None:
        for name in (self.dataset, self.primary, *self.replicas):
            if not _NAME.fullmatch(name):
                raise ConfigurationError(f"{name!r} is no name for a dataset or server: use letters, digits, . _ -")
        if self.primary in self.replicas:
            raise ConfigurationError(f"dataset {self.dataset}: {self.primary!r} names both the primary and a replica")

    @classmethod
    def parse(cls, text: str) -> PostgresTarget:
        """The target in `dataset=DSN,replica=DSN,…`, as typed on a command line.

        Raises:
            ConfigurationError: a part is not `name=DSN`, or a replica is named twice; no DSN is shown.
        """
        parts = [part.partition("=") for part in _SEPARATOR.split(text.strip())]
        for position, (name, _, dsn) in enumerate(parts, start=1):
            if not (_NAME.fullmatch(name) and dsn):
                raise ConfigurationError(
                    f"part {position} of a PostgreSQL target is not name=DSN; write for instance "
                    "orders=postgresql://user@db1/shop,r1=postgresql://user@db2/shop"
                )
        (dataset, _, primary_dsn), *rest = parts
        replicas = {name: dsn for name, _, dsn in rest}
        if len(replicas) < len(rest):
            raise ConfigurationError(f"dataset {dataset}: a replica is named twice")
        return cls(dataset, primary_dsn, MappingProxyType(replicas))

    def __repr__(self) -> str:
        replicas = {name: redact(dsn) for name, dsn in self.replicas.items()}
        shown = f"{self.dataset!r}, {redact(self.primary_dsn)!r}, {replicas!r}, primary={self.primary!r}"
        return f"PostgresTarget({shown})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresPeriods:
    """How often what is done, in seconds."""

    row: float = 0.5
    """Between two heartbeat rows; the interval of a lag is at least this wide."""
    poll: float = 0.25
    """Between two looks at a replica."""
    statements: float = 1.0
    """Between two reads of the statement counters."""

    def __post_init__(self) -> None:
        for name, seconds in (("row", self.row), ("poll", self.poll), ("statements", self.statements)):
            if not 0.01 <= seconds <= 3600:
                raise ConfigurationError(f"PostgreSQL period {name}={seconds!r} is not between 0.01 and 3600 seconds")


def postgres_collectors(
    target: PostgresTarget, *, writer: str, periods: PostgresPeriods, statement_limit: int
) -> tuple[Collector, ...]:
    """The collectors of one dataset.

    Each replica has one connection. The primary has two, because the heartbeat row must not wait for a slow read of
    the statement counters: a late row would make every replica look fresher than it is known to be.

    Args:
        target: the servers.
        writer: node whose clock stamps the rows.
        periods: how often what is done.
        statement_limit: statements reported one by one.

    Raises:
        ConfigurationError: a connection string cannot be read, or psycopg is not installed.
    """
    dataset, position = target.dataset, SourcePosition()
    primary = f"{dataset}/{target.primary}"
    writing = Session(primary, target.primary_dsn, WRITER_SETTINGS)
    reading = Session(primary, target.primary_dsn, READER_SETTINGS)
    return (
        SourceRow(
            writing, dataset=dataset, source=target.primary, writer=writer, position=position, period=periods.row
        ),
        Statements(reading, dataset=dataset, limit=statement_limit, period=periods.statements),
        Standbys(reading, dataset=dataset, position=position, period=_STANDBY_PERIOD),
        *(
            ReplicaRow(
                Session(f"{dataset}/{name}", dsn, READER_SETTINGS),
                dataset=dataset,
                replica=name,
                position=position,
                period=periods.poll,
            )
            for name, dsn in target.replicas.items()
        ),
    )
