"""Fixtures and limits shared by all tests."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from tests.support.kafka import describe_choice, open_test_broker
from tests.support.mariadb import MariaDbPair
from tests.support.mysql import MySqlPair
from tests.support.postgres import PostgresPair
from tests.support.redis import RedisPair

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.broker import Broker

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")  # how fast a machine is decides no test

_SERVER_MARKS = ("broker", "container", "e2e", "kubernetes")
_SERVER_TIMEOUT = 240
"""Seconds for a test that may be the first to need a server, and then also pays for its download."""


def pytest_report_header() -> str:
    try:
        return describe_choice()
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error


_LEFT_OUT = {
    mark: why
    for mark, left_out, why in (
        ("container", os.environ.get("SNOWSHED_TEST_CONTAINERS") == "off", "SNOWSHED_TEST_CONTAINERS=off"),
        ("kubernetes", os.environ.get("SNOWSHED_TEST_KUBERNETES") != "on", "only ./dev test-kubernetes runs them"),
    )
    if left_out
}
"""Marks whose tests do not run, and why."""
_not_run = pytest.StashKey[dict[str, int]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[_not_run] = {mark: _leave_out(mark, config, items) for mark in _LEFT_OUT}
    for item in items:
        needs_server = any(item.get_closest_marker(mark) for mark in _SERVER_MARKS)
        if needs_server and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_SERVER_TIMEOUT))


def _leave_out(mark: str, config: pytest.Config, items: list[pytest.Item]) -> int:
    left_out = [item for item in items if item.get_closest_marker(mark)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    return len(left_out)


def pytest_sessionfinish(session: pytest.Session) -> None:
    # One of several processes that share a run tells the one that prints.
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["not_run"] = session.config.stash.get(_not_run, dict[str, int]())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if not_run := getattr(node, "workeroutput", dict[str, Any]()).get("not_run"):
        node.config.stash[_not_run] = not_run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for mark, count in config.stash.get(_not_run, dict[str, int]()).items():
        if count:
            terminalreporter.section(f"{mark.upper()} TESTS NOT RUN", red=True, bold=True)
            terminalreporter.line(f"{count} tests were left out ({_LEFT_OUT[mark]}): nothing says they pass")


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
