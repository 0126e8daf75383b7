import subprocess
import sys

import pytest

import snowshed.producers
from snowshed.producers import MemoryTransport, Node, ProducerSettings, Telemetry
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Heartbeat, NodeStatus, TimingBatch

_ENVIRON = {"SNOWSHED_BOOTSTRAP": "localhost:9092", "SNOWSHED_SERVICE": "shop"}


def test_everything_can_come_from_the_environment() -> None:
    settings = ProducerSettings.from_env(
        environ=_ENVIRON
        | {
            "SNOWSHED_NODE": "shop-7",
            "SNOWSHED_ZONE": "a",
            "SNOWSHED_PREFIX": "fleet",
            "SNOWSHED_HEARTBEAT_INTERVAL": "0.25",
            "SNOWSHED_TIMING_WINDOW": "2",
        }
    )
    assert settings.connection == KafkaConnection("localhost:9092")
    assert (settings.prefix, settings.interval, settings.window) == ("fleet", 0.25, 2.0)
    node = settings.this_node()
    assert (node.name, node.service, node.zone) == ("shop-7", "shop", "a")


def test_arguments_win_over_the_environment() -> None:
    settings = ProducerSettings.from_env("web", "web-1", connection=KafkaConnection("other:1"), environ=_ENVIRON)
    assert (settings.service, settings.node, settings.connection.bootstrap) == ("web", "web-1", "other:1")


def test_a_node_is_named_after_its_service_host_and_process_by_default() -> None:
    node = ProducerSettings.from_env(environ=_ENVIRON).this_node()
    assert node.name == f"shop@{node.host}:{node.pid}"


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"SNOWSHED_BOOTSTRAP": "localhost:9092"}, "SNOWSHED_SERVICE"),
        ({"SNOWSHED_SERVICE": "shop"}, "SNOWSHED_BOOTSTRAP"),
        (_ENVIRON | {"SNOWSHED_HEARTBEAT_INTERVAL": "soon"}, "SNOWSHED_HEARTBEAT_INTERVAL"),
        (_ENVIRON | {"SNOWSHED_TIMING_WINDOW": "-1"}, "SNOWSHED_TIMING_WINDOW"),
    ],
)
def test_a_wrong_setting_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        ProducerSettings.from_env(environ=environ)


def test_stopping_reports_what_was_counted_and_says_good_bye() -> None:
    transport = MemoryTransport()
    with Telemetry(Node(name="shop-1", service="shop"), transport, interval=60.0, window=60.0) as telemetry:
        transport.wait_for(1, timeout=10)
        telemetry.recorder.observe("orders", "GET", 0.01)
    records = [sent.record for sent in transport.sent]
    assert sum(isinstance(record, TimingBatch) for record in records) == 1
    assert [record.status for record in records if isinstance(record, Heartbeat)] == [NodeStatus.UP, NodeStatus.LEAVING]


def test_the_public_names_are_sorted_and_exist() -> None:
    names = snowshed.producers.__all__
    assert names == sorted(names)
    assert all(hasattr(snowshed.producers, name) for name in names)


def test_importing_the_package_loads_no_kafka_client_and_no_optional_library() -> None:
    heavy = "confluent_kafka psutil psycopg sqlalchemy httpx asyncpg numpy"
    program = f"import sys, snowshed.producers; print([m for m in {heavy.split()} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert run.stdout.strip() == "[]"
