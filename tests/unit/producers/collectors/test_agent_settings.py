from __future__ import annotations

import pytest

from snowshed.producers.agent import AgentSettings
from snowshed.producers.collectors.servers import Servers
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError


def test_settings_come_from_the_environment() -> None:
    settings = AgentSettings.from_env(
        {
            "SNOWSHED_BOOTSTRAP": "localhost:9092",
            "SNOWSHED_KAFKA__SECURITY_PROTOCOL": "ssl",
            "SNOWSHED_PREFIX": "prod",
            "SNOWSHED_NODE": "db-host",
            "SNOWSHED_ZONE": "a",
            "SNOWSHED_REGION": "eu",
            "SNOWSHED_REGISTRY_URL": "http://registry:8081",
            "SNOWSHED_HEARTBEAT_INTERVAL": "0.25",
            "SNOWSHED_POSTGRES": "orders=host=h1 dbname=o,r1=host=h2 dbname=o; users=host=h3 dbname=u;",
        }
    )
    assert settings.connection == KafkaConnection("localhost:9092", {"security.protocol": "ssl"})
    assert settings.topics.full("markers") == "prod.markers"
    assert (settings.node.name, settings.node.service, settings.node.zone, settings.node.region) == (
        "db-host",
        "host",
        "a",
        "eu",
    )
    assert (settings.registry_url, settings.interval) == ("http://registry:8081", 0.25)
    assert settings.databases == (
        Servers("orders", "host=h1 dbname=o", {"r1": "host=h2 dbname=o"}),
        Servers("users", "host=h3 dbname=u"),
    )


def test_a_host_has_the_same_name_after_a_restart_of_its_agent() -> None:
    environ = {"SNOWSHED_BOOTSTRAP": "localhost:9092"}
    name = AgentSettings.from_env(environ).node.name
    assert name.startswith("host@")
    assert ":" not in name


def test_a_dataset_is_watched_once() -> None:
    environ = {"SNOWSHED_BOOTSTRAP": "localhost:9092", "SNOWSHED_POSTGRES": "orders=host=a;orders=host=b"}
    with pytest.raises(ConfigurationError, match="'orders' is given twice"):
        AgentSettings.from_env(environ)


def test_a_negative_statement_limit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="-1"):
        AgentSettings(connection=KafkaConnection("localhost:9092"), statement_limit=-1)
