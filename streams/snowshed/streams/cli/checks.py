"""What `snowshed doctor` looks at; a check gives findings and raises nothing."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any, cast

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import SnowshedError
from snowshed.schemas.topics import CATALOGUE, Topics
from snowshed.streams.broker import KAFKA_VERSION, find_java
from snowshed.streams.broker.docker_engine import connect
from snowshed.streams.cli.reaching import reach
from snowshed.streams.provision import TopicReport, report
from snowshed.streams.transactions.protocol import choose, read_broker_limits

__all__ = ["Finding", "broker_findings", "machine_findings"]

_PACKAGES = MappingProxyType(
    {
        "confluent-kafka": "",
        "fastavro": "",
        "faust-streaming": "streams",
        "numpy": "streams",
        "uvloop": "streams",
        "psutil": "host",
        "psycopg": "postgres",
        "PyMySQL": "mysql",
        "redis": "redis",
        "docker": "containers",
    }
)
"""Packages, and the extra that brings each."""
_NEEDED = frozenset({"", "streams"})
_GIGABYTE = 1e9
_DISK_NEEDED = 1e9
_TAKEOVER_WORK = 2.0
"""Seconds from the end of a dead worker's session to its successor's first decision."""
_TAKEOVER_GOAL = 10.0
_TIMESTAMPS = "message.timestamp.type"
_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    blocking: bool = False
    """Whether Snowshed cannot work before this is mended."""


def machine_findings(data: Path) -> Iterator[Finding]:
    """Python, packages, disk, and what a broker of our own would need.

    Args:
        data: folder that `up` would keep its records in.
    """
    yield Finding(name="python", ok=True, detail=f"{platform.python_version()} on {platform.system()}")
    yield from (_package(name, extra) for name, extra in _PACKAGES.items())
    yield _disk(data)
    ways = [_java(), _docker()]
    yield from ways
    if not any(way.ok for way in ways):
        yield Finding(
            name="own broker",
            ok=False,
            detail="`snowshed up` can start none here",
            remedy="start Docker, or apt-get install openjdk-17-jre-headless maven, or use a broker elsewhere",
        )


def broker_findings(connection: KafkaConnection, topics: Topics, *, required: bool) -> Iterator[Finding]:
    """The broker, how soon its group replaces a dead worker, and the topics.

    Args:
        connection: where it is.
        topics: as they should be.
        required: whether it must be there, because somebody named its address.
    """
    started = perf_counter()
    try:
        brokers = reach(connection).brokers
    except SnowshedError as error:
        yield Finding(name="broker", ok=False, detail=str(error), blocking=required)
        return
    milliseconds = (perf_counter() - started) * 1000
    yield Finding(
        name="broker",
        ok=True,
        detail=f"{connection.bootstrap} answers in {milliseconds:.0f} ms; brokers: {len(brokers)}",
    )
    yield _takeover(read_broker_limits(connection))
    yield from _topics(connection, topics)


def _package(name: str, extra: str) -> Finding:
    try:
        return Finding(name=name, ok=True, detail=version(name))
    except PackageNotFoundError:
        wanted = f"snowshed[{extra}]" if extra else "snowshed"
        return Finding(
            name=name,
            ok=False,
            detail="is not installed",
            remedy=f"pip install '{wanted}'",
            blocking=extra in _NEEDED,
        )


def _disk(data: Path) -> Finding:
    folder = next(place for place in (data, *data.parents) if place.exists())
    free = shutil.disk_usage(folder).free
    return Finding(
        name="disk",
        ok=free >= _DISK_NEEDED,
        detail=f"{free / _GIGABYTE:.1f} GB free at {folder}",
        remedy="" if free >= _DISK_NEEDED else "free some space, or keep the records elsewhere with `up --data`",
    )


def _java() -> Finding:
    try:
        java = find_java()
    except SnowshedError as error:
        return Finding(name="java", ok=False, detail=str(error), remedy="only `up` without Docker needs it")
    if shutil.which("mvn") is None:
        return Finding(
            name="java",
            ok=False,
            detail=f"Java {java.version} without Maven, which fetches Kafka {KAFKA_VERSION}",
            remedy="apt-get install maven",
        )
    return Finding(name="java", ok=True, detail=f"Java {java.version} from {java.source}, and Maven")


def _docker() -> Finding:
    try:
        connect().close()
    except SnowshedError as error:
        return Finding(name="docker daemon", ok=False, detail=str(error), remedy="only `up` without Java needs it")
    return Finding(name="docker daemon", ok=True, detail="answers")


def _takeover(limits: Mapping[str, str]) -> Finding:
    group = choose("snowshed", limits)
    seconds = group.session + _TAKEOVER_WORK
    quick = seconds <= _TAKEOVER_GOAL
    return Finding(
        name="failover",
        ok=quick,
        detail=f"{group.protocol} protocol, {group.session:.0f} s session: "
        f"a worker that dies is replaced within about {seconds:.0f} s",
        remedy="" if quick else "lower the broker's group.consumer.session.timeout.ms or group.min.session.timeout.ms",
    )


def _topics(connection: KafkaConnection, topics: Topics) -> Iterator[Finding]:
    found = {entry.short: entry for entry in report(connection, topics)}
    missing = [entry.name for entry in found.values() if entry.missing]
    there = f"{len(found) - len(missing)} of {len(found)} exist under {topics.prefix}.*"
    yield Finding(
        name="topics",
        ok=not missing,
        detail=there,
        remedy="snowshed topics --create (a worker does it too)" if missing else "",
    )
    yield from _uneven(found)
    yield from _timestamps(connection, [entry for entry in found.values() if not entry.missing])


def _uneven(found: Mapping[str, TopicReport]) -> Iterator[Finding]:
    for spec in CATALOGUE:
        entry, source = found[spec.name], found.get(spec.copartitioned_with or "")
        have, need = entry.partitions, source.partitions if source else None
        if source is not None and have is not None and need is not None and have < need:
            yield Finding(
                name=entry.name,
                ok=False,
                detail=f"has {have} partitions, but its input {source.name} has {need}",
                remedy=f"kafka-topics.sh --alter --topic {entry.name} --partitions {need}",
                blocking=True,
            )


def _timestamps(connection: KafkaConnection, existing: list[TopicReport]) -> Iterator[Finding]:
    """Every judgement about time rests on the broker's clock: the inputs must carry its time stamps."""
    wanted = {spec.name for spec in CATALOGUE if spec.append_time}
    names = [entry.name for entry in existing if entry.short in wanted]
    try:
        kinds = _configured(connection, names, _TIMESTAMPS)
    except KafkaException as error:
        yield Finding(name="time stamps", ok=False, detail=f"cannot be read: {error.args[0].str()}")
        return
    for name, kind in kinds.items():
        if kind != "LogAppendTime":
            yield Finding(
                name=name,
                ok=False,
                detail=f"{_TIMESTAMPS} is {kind}, so that lag and silence would be misjudged",
                remedy=f"kafka-configs.sh --alter --topic {name} --add-config {_TIMESTAMPS}=LogAppendTime",
                blocking=True,
            )


def _configured(connection: KafkaConnection, names: list[str], key: str) -> dict[str, str | None]:
    if not names:
        return {}
    admin = AdminClient(connection.librdkafka({"log_level": 0}))
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    # The client's annotations leave the futures' results open.
    answers = cast("dict[ConfigResource, Any]", admin.describe_configs(resources, request_timeout=_TIMEOUT))
    entries = {resource.name: cast("dict[str, ConfigEntry]", answer.result()) for resource, answer in answers.items()}
    return {name: found[key].value for name, found in entries.items()}
