"""The broker that tests share, and which kind of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager

from snowshed.schemas.errors import BrokerUnavailable
from snowshed.streams.broker import (
    KAFKA_VERSION,
    Broker,
    BrokerSettings,
    Kind,
    LocalKafka,
    Progress,
    candidates,
    find_java,
    wait_ready,
)
from snowshed.streams.broker.choose import parse_kind
from snowshed.streams.broker.opening import Opener, open_first

__all__ = ["chosen_kinds", "describe_choice", "open_test_broker"]


def _test_settings(environ: Mapping[str, str]) -> BrokerSettings:
    return BrokerSettings(
        bootstrap=environ.get("SNOWSHED_BOOTSTRAP") or None, force=parse_kind(environ, "SNOWSHED_TEST_KAFKA")
    )


def _local_is_possible() -> bool:
    try:
        find_java()
    except BrokerUnavailable:
        return False
    return shutil.which("mvn") is not None


def chosen_kinds(environ: Mapping[str, str] = os.environ) -> tuple[Kind, ...]:
    """The kinds of broker to try for a test run, best first; a child process starts fastest."""
    own: tuple[Kind, ...] = ("local", "docker") if _local_is_possible() else ("docker", "local")
    return candidates(_test_settings(environ), own=own)


def describe_choice(environ: Mapping[str, str] = os.environ) -> str:
    """One line for the head of a test report."""
    kind = chosen_kinds(environ)[0]
    detail = {
        "external": f"external at {environ.get('SNOWSHED_BOOTSTRAP')}",
        "docker": f"Apache Kafka {KAFKA_VERSION} in Docker",
        "local": f"Apache Kafka {KAFKA_VERSION} as a child process",
    }
    return f"kafka: {detail[kind]} (SNOWSHED_TEST_KAFKA=external|docker|local changes it)"


@contextmanager
def _external(settings: BrokerSettings, _progress: Progress) -> Generator[Broker]:
    bootstrap = settings.bootstrap or ""
    wait_ready(bootstrap, timeout=20)
    yield Broker(bootstrap, "external", f"the cluster at {bootstrap}")


@contextmanager
def _docker(_settings: BrokerSettings, _progress: Progress) -> Generator[Broker]:
    from tests.support.container import ApacheKafkaContainer  # imports much, and only for this kind
    from tests.support.engine import container_engine

    with container_engine() as image, ApacheKafkaContainer(image) as kafka:
        yield Broker(kafka.bootstrap, "docker", f"{image} at {kafka.bootstrap}")


@contextmanager
def _local(_settings: BrokerSettings, progress: Progress) -> Generator[Broker]:
    with LocalKafka(progress=progress) as kafka:
        yield Broker(kafka.bootstrap, "local", f"process {kafka.pid} at {kafka.bootstrap}")


_OPENERS: Mapping[Kind, Opener] = {"external": _external, "docker": _docker, "local": _local}


def open_test_broker(
    environ: Mapping[str, str] = os.environ, progress: Progress = print
) -> AbstractContextManager[Broker]:
    """The broker of a test run.

    Raises:
        BrokerUnavailable: on entry, when none can be had; the message says what to install.
    """
    return open_first(chosen_kinds(environ), _OPENERS, _test_settings(environ), progress)
