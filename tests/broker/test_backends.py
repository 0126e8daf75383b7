from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.support.roundtrip import create_topic, produce, read_committed, transact

from snowshed.schemas.errors import BrokerUnavailable
from snowshed.streams.broker import Broker, LocalKafka, free_ports


def test_the_shared_broker_carries_records(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix)
    produce(kafka.bootstrap, prefix, ["a", "b", "c"])
    assert read_committed(kafka.bootstrap, prefix, 3) == ["a", "b", "c"]


def test_the_shared_broker_hides_records_of_an_aborted_transaction(kafka: Broker, prefix: str) -> None:
    create_topic(kafka.bootstrap, prefix)
    transact(kafka.bootstrap, prefix, ["aborted"], commit=False)
    transact(kafka.bootstrap, prefix, ["committed"], commit=True)
    assert read_committed(kafka.bootstrap, prefix, 1) == ["committed"]


@pytest.fixture
def own_kafka() -> Generator[LocalKafka]:
    """A broker that this test may stop and kill."""
    with LocalKafka() as broker:
        yield broker


def test_a_local_broker_keeps_its_records_and_address_when_restarted(own_kafka: LocalKafka) -> None:
    address, first = own_kafka.bootstrap, own_kafka.pid
    create_topic(address, "kept")
    transact(address, "kept", ["before"], commit=True)
    own_kafka.restart()
    transact(address, "kept", ["after"], commit=True)
    assert own_kafka.bootstrap == address
    assert own_kafka.pid != first
    assert read_committed(address, "kept", 2) == ["before", "after"]


def test_a_killed_local_broker_keeps_acknowledged_records(own_kafka: LocalKafka) -> None:
    create_topic(own_kafka.bootstrap, "kept")
    produce(own_kafka.bootstrap, "kept", ["acknowledged"])
    own_kafka.kill()
    assert own_kafka.pid is None
    own_kafka.start()
    assert read_committed(own_kafka.bootstrap, "kept", 1) == ["acknowledged"]


def test_a_data_folder_is_kept_between_brokers_and_held_by_one_at_a_time(tmp_path: Path) -> None:
    with LocalKafka(tmp_path) as first:
        create_topic(first.bootstrap, "kept")
        produce(first.bootstrap, "kept", ["x"])
        with pytest.raises(BrokerUnavailable, match=f"pid {first.pid}"):
            LocalKafka(tmp_path).start()
        assert first.pid is not None, "a refused start leaves the folder's holder alone"
    with LocalKafka(tmp_path) as second:
        assert read_committed(second.bootstrap, "kept", 1) == ["x"]


def test_a_local_broker_refuses_a_port_that_is_taken(own_kafka: LocalKafka) -> None:
    port = int(own_kafka.bootstrap.rpartition(":")[2])
    with pytest.raises(BrokerUnavailable, match=f"port {port} is taken"):
        LocalKafka(port=port).start()


def test_a_broker_that_cannot_start_shows_the_end_of_its_log() -> None:
    with pytest.raises(BrokerUnavailable, match=r"last lines of its log(.|\n)*NoSuchAuthorizer"):
        LocalKafka(extra={"authorizer.class.name": "NoSuchAuthorizer"}).start()


def test_a_wrong_setting_is_named_when_the_data_folder_cannot_be_formatted() -> None:
    with pytest.raises(BrokerUnavailable, match=r"could not be formatted(.|\n)*num\.io\.threads"):
        LocalKafka(extra={"num.io.threads": "many"}).start()


_PARENT = """
import sys, time
from pathlib import Path
from snowshed.streams.broker import LocalKafka
kafka = LocalKafka(Path(sys.argv[1]), port=int(sys.argv[2])).start()
print(kafka.pid, flush=True)
time.sleep(600)
"""


def test_a_local_broker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    [port] = free_ports(1)
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path), str(port)], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        broker = Path("/proc") / parent.stdout.readline().strip()
        assert broker.is_dir()
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while broker.is_dir() and _state(broker) != "Z" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not broker.is_dir() or _state(broker) == "Z"
    with LocalKafka(tmp_path, port=port) as successor:
        assert successor.bootstrap == f"127.0.0.1:{port}"


def _state(process: Path) -> str:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
