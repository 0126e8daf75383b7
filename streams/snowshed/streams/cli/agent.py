"""`snowshed agent`: heartbeats of this host and collectors for its databases."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from threading import Event
from typing import Annotated

import typer

from snowshed.producers.agent import Agent, AgentSettings
from snowshed.producers.collectors.etcd import EtcdTarget
from snowshed.producers.collectors.kafka_groups import GroupTarget
from snowshed.producers.collectors.kraft import KRaftTarget
from snowshed.producers.collectors.servers import Servers
from snowshed.producers.collectors.zookeeper import ZooKeeperTarget
from snowshed.schemas.errors import ConfigurationError
from snowshed.streams import logs
from snowshed.streams.cli.attached import Attached, end_with_standard_input
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Prefix

__all__ = ["command", "postgres_targets"]


def command(
    *,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    node: Annotated[str, typer.Option(envvar="SNOWSHED_NODE", help="Name of this host in the fleet.")] = "",
    postgres: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET=DSN", help="A PostgreSQL primary to watch; may be repeated."),
    ] = None,
    replica: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET/NAME=DSN", help="A streaming replica of such a primary; may be repeated."),
    ] = None,
    mysql: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET=URL,NAME=URL", help="A MySQL or MariaDB source and its replicas; repeatable."),
    ] = None,
    redis: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET=URL,NAME=URL", help="A Redis source and its replicas; repeatable."),
    ] = None,
    kafka_group: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET=GROUP:TOPIC,TOPIC", help="A consumer group of this Kafka; repeatable."),
    ] = None,
    zookeeper: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET=HOST:PORT,HOST:PORT", help="All voters of a ZooKeeper ensemble; repeatable."),
    ] = None,
    etcd: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET=URL,URL", help="All voting members of an etcd cluster; repeatable."),
    ] = None,
    kraft_quorum: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET=HOST:PORT,HOST:PORT", help="Brokers of a Kafka, for its quorum; repeatable."),
    ] = None,
    interval: Annotated[float, typer.Option(help="Seconds between heartbeats.")] = 0.5,
    attached: Attached = False,
) -> None:
    """Report this host and its databases.

    What to watch may also stand in SNOWSHED_POSTGRES, as `dataset=DSN,replica=DSN`, and in SNOWSHED_MYSQL,
    SNOWSHED_REDIS, SNOWSHED_KAFKA_GROUPS, SNOWSHED_ZOOKEEPER, SNOWSHED_ETCD and SNOWSHED_KRAFT_QUORUMS as in the
    options, separated by semicolons. Passwords are better kept in ~/.pgpass, in an option file of MySQL, or in the
    environment than on the command line.
    """
    logs.configure()
    environ = {**os.environ, "SNOWSHED_BOOTSTRAP": bootstrap, "SNOWSHED_PREFIX": prefix, "SNOWSHED_NODE": node}
    settings = AgentSettings.from_env(environ)
    more = replace(
        settings,
        databases=(*settings.databases, *postgres_targets(postgres or [], replica or [])),
        mysql=(*settings.mysql, *map(Servers.parse, mysql or [])),
        redis=(*settings.redis, *map(Servers.parse, redis or [])),
        groups=(*settings.groups, *map(GroupTarget.parse, kafka_group or [])),
        ensembles=(*settings.ensembles, *map(ZooKeeperTarget.parse, zookeeper or [])),
        etcd=(*settings.etcd, *map(EtcdTarget.parse, etcd or [])),
        kraft=(*settings.kraft, *map(KRaftTarget.parse, kraft_quorum or [])),
        interval=interval,
    )
    agent = Agent(more)
    stop = Event()

    def end(*_: object) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    if attached:
        end_with_standard_input()
    agent.run(stop)


def postgres_targets(primaries: list[str], replicas: list[str]) -> tuple[Servers, ...]:
    """The datasets that `--postgres` and `--replica` describe.

    Raises:
        ConfigurationError: an option has the wrong form, or a replica has no primary; no DSN is shown.
    """
    dsns = dict(_pair(text, "--postgres", "orders=postgresql://user@db1/shop") for text in primaries)
    found: dict[str, dict[str, str]] = {dataset: {} for dataset in dsns}
    if len(dsns) < len(primaries):
        raise ConfigurationError("--postgres names a dataset twice: a dataset has one primary")
    for text in replicas:
        place, dsn = _pair(text, "--replica", "orders/r1=postgresql://user@db2/shop")
        dataset, _, name = place.partition("/")
        if not name or dataset not in found or name in found[dataset]:
            raise ConfigurationError(
                f"--replica {place}=… must name a dataset given with --postgres and a replica not yet given, "
                "as in orders/r1=postgresql://user@db2/shop"
            )
        found[dataset][name] = dsn
    return tuple(Servers(dataset, dsn, found[dataset]) for dataset, dsn in dsns.items())


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    name, _, dsn = text.partition("=")
    if not (name and dsn):
        raise ConfigurationError(f"{option} is not NAME=DSN; write for instance {example}")
    return name, dsn
