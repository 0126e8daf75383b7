"""How each of several workers is started."""

from __future__ import annotations

import pytest

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.settings import WorkerSettings
from snowshed.streams.supervision.launch import environment_of, launches, ports
from snowshed.streams.supervision.readiness import page_url

ENVIRON = {"PATH": "/bin", "SNOWSHED_PREFIX": "from-environment", "SNOWSHED_BATCH": "7", "SNOWSHED_NODE": "db1"}


def test_workers_are_numbered_and_serve_consecutive_ports() -> None:
    settings = WorkerSettings(processes=3, web_port=7000)
    started = launches(settings, ["run"], ENVIRON)
    assert [launch.page for launch in started] == [f"http://127.0.0.1:{port}/" for port in (7000, 7001, 7002)]
    assert [launch.environment["SNOWSHED_WORKER_NUMBER"] for launch in started] == ["0", "1", "2"]
    assert [launch.environment["SNOWSHED_WEB_PORT"] for launch in started] == ["7000", "7001", "7002"]
    assert {launch.environment["SNOWSHED_PROCESSES"] for launch in started} == {"1"}


def test_an_option_s_default_is_not_undone_by_the_environment() -> None:
    settings = WorkerSettings(prefix="snowshed", batch=9, kafka={"sasl_password": "p"})  # type: ignore[dict-item]
    environment = environment_of(settings, ENVIRON)
    assert "SNOWSHED_PREFIX" not in environment
    assert environment["SNOWSHED_BATCH"] == "9"
    assert environment["SNOWSHED_KAFKA__SASL_PASSWORD"] == "p"
    assert (environment["PATH"], environment["SNOWSHED_NODE"]) == ("/bin", "db1")


def test_port_0_gives_each_worker_a_free_one() -> None:
    assert len(set(ports(0, 4))) == 4
    assert 0 not in ports(0, 4)


def test_ports_that_do_not_exist_are_refused() -> None:
    assert list(ports(65_534, 2)) == [65_534, 65_535]
    with pytest.raises(ConfigurationError, match="SNOWSHED_WEB_PORT"):
        ports(65_534, 3)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1/"),
        ("0.0.0.0", "http://127.0.0.1:1/"),
        ("::", "http://[::1]:1/"),
        ("::1", "http://[::1]:1/"),
        ("db1.internal", "http://db1.internal:1/"),
    ],
)
def test_a_page_is_asked_where_this_machine_reaches_it(host: str, url: str) -> None:
    assert page_url(host, 1) == url
