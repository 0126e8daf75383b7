from __future__ import annotations

import re
from pathlib import Path

from snowshed.streams.broker import KAFKA_IMAGE
from snowshed.streams.broker.container import container_environment
from snowshed.streams.broker.node import (
    as_environment,
    as_properties,
    container_listeners,
    loopback_listeners,
    single_node,
)

_DOCKER = Path(__file__).parents[4] / "docker"


def test_extra_settings_replace_ours() -> None:
    settings = single_node("/records", {}, {"num.io.threads": "9", "log.dirs": "/elsewhere"})
    assert settings["num.io.threads"] == "9"
    assert settings["log.dirs"] == "/elsewhere"


def test_every_internal_topic_can_live_on_one_node() -> None:
    factors = {name: value for name, value in single_node("/r", {}).items() if "replication.factor" in name}
    assert len(factors) == 3
    assert set(factors.values()) == {"1"}


def test_a_local_node_listens_on_loopback_only() -> None:
    listeners = loopback_listeners(1001, 1002)["listeners"]
    assert re.findall(r"//([^:]+):(\d+)", listeners) == [("127.0.0.1", "1001"), ("127.0.0.1", "1002")]


def test_a_container_advertises_the_hosts_port_to_clients() -> None:
    assert "PLAINTEXT://127.0.0.1:1001" in container_listeners(1001)["advertised.listeners"].split(",")


def test_settings_are_written_as_properties_and_as_environment() -> None:
    settings = {"a.b": "1", "c_d-e": "x"}
    assert as_properties(settings) == "a.b=1\nc_d-e=x\n"
    assert as_environment(settings) == {"KAFKA_A_B": "1", "KAFKA_C__D___E": "x"}


def test_the_compose_file_runs_the_same_kafka_with_the_same_failover_settings() -> None:
    compose = (_DOCKER / "compose.yaml").read_text()
    assert f"image: {KAFKA_IMAGE}\n" in compose
    written = dict(re.findall(r'^ +(KAFKA_\w+): "?([^"\n]*)"?$', compose, re.MULTILINE))
    ours = container_environment(9092)
    own_to_compose = {name for name in written if re.search("LISTENER|VOTERS", name)}
    assert own_to_compose < written.keys()
    for name in written.keys() - own_to_compose:
        assert (name, written[name]) == (name, ours[name])
    needed = {name for name in ours if re.search("FACTOR|MIN_ISR|KAFKA_GROUP|AUTO_CREATE", name)}
    assert needed <= written.keys()


def test_the_compose_file_publishes_ports_on_loopback_only() -> None:
    compose = (_DOCKER / "compose.yaml").read_text()
    published = re.findall(r"ports:\n((?: +- .*\n)+)", compose)
    assert len(published) == 4
    assert all(line.strip().startswith('- "127.0.0.1:') for block in published for line in block.splitlines())


def test_the_docker_folder_is_no_package() -> None:
    """Or it would hide the Docker client's package from programs that run in the repository's root."""
    assert not (_DOCKER / "__init__.py").exists()
