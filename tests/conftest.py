"""Fixtures and limits shared by all tests."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from uuid import uuid4

import pytest
from tests.support.kafka import describe_choice, open_test_broker
from tests.support.mariadb import MariaDbPair
from tests.support.mysql import MySqlPair
from tests.support.postgres import PostgresPair
from tests.support.redis import RedisPair

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.broker import Broker

_SERVER_MARKS = ("broker", "container", "e2e")
_SERVER_TIMEOUT = 240
"""Seconds for a test that may be the first to need a server, and then also pays for its download."""


def pytest_report_header() -> str:
    try:
        return describe_choice()
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error


_CONTAINERS_OFF = os.environ.get("SNOWSHED_TEST_CONTAINERS") == "off"
_not_run = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _CONTAINERS_OFF:
        _leave_out_containers(config, items)
    for item in items:
        needs_server = any(item.get_closest_marker(mark) for mark in _SERVER_MARKS)
        if needs_server and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_SERVER_TIMEOUT))


def _leave_out_containers(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if item.get_closest_marker("container")]
    config.stash[_not_run] = len(left_out)
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if count := config.stash.get(_not_run, 0):
        terminalreporter.section("CONTAINER TESTS NOT RUN", red=True, bold=True)
        terminalreporter.line(
            f"{count} tests were left out because SNOWSHED_TEST_CONTAINERS=off: nothing says they pass"
        )


@pytest.fixture(scope="session")
def kafka() -> Generator[Broker]:
    """A real broker, shared by the whole run: `.bootstrap`, `.kind`."""
    with open_test_broker() as broker:
        yield broker


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A prefix for names of topics and groups that no other test uses on the shared broker."""
    name: str = request.node.name
    return f"{re.sub('[^a-z0-9]+', '-', name.lower())[:60].strip('-')}-{uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def postgres_pair() -> Generator[PostgresPair]:
    """A PostgreSQL primary and its streaming replica."""
    with PostgresPair() as pair:
        yield pair


@pytest.fixture(scope="session")
def mariadb_pair() -> Generator[MariaDbPair]:
    """A MariaDB primary and its replica."""
    with MariaDbPair() as pair:
        yield pair


@pytest.fixture(scope="session")
def mysql_pair() -> Generator[MySqlPair]:
    """A MySQL 8 primary and its replica."""
    with MySqlPair() as pair:
        yield pair


@pytest.fixture(scope="session")
def redis_pair() -> Generator[RedisPair]:
    """A Redis source and its replica."""
    with RedisPair() as pair:
        yield pair
