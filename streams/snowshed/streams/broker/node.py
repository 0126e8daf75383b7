"""The configuration of a single-node broker, wherever it runs."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "CLUSTER_ID",
    "as_environment",
    "as_properties",
    "container_listeners",
    "loopback_listeners",
    "single_node",
]

CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"

_SINGLE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": "8388608",
}

# A dead worker is noticed within three seconds and replaced without a further delay.
_FAST_FAILOVER = {
    "broker.session.timeout.ms": "5000",  # after a crash the node registers again only once its old session has expired
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "3000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}


def single_node(records: str, listeners: Mapping[str, str], extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The settings of one node.

    Args:
        records: folder in which the broker keeps its records.
        listeners: settings from `loopback_listeners` or `container_listeners`.
        extra: settings that replace ours.
    """
    return {**_SINGLE_NODE, **_FAST_FAILOVER, "log.dirs": records, **listeners, **(extra or {})}


def loopback_listeners(client_port: int, controller_port: int) -> dict[str, str]:
    """Where a node that is a process of this machine listens."""
    client = f"PLAINTEXT://127.0.0.1:{client_port}"
    return {
        "listeners": f"{client},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": client,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
    }


def container_listeners(host_port: int) -> dict[str, str]:
    """Where a node in a container listens whose port 9092 is published as a loopback port of the host.

    The advertised client address leads nowhere inside the container, so the node reaches itself through a listener of
    its own.
    """
    return {
        "listeners": "PLAINTEXT://:9092,BROKER://localhost:19092,CONTROLLER://localhost:9093",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{host_port},BROKER://localhost:19092",
        "inter.broker.listener.name": "BROKER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.quorum.voters": "1@localhost:9093",
    }


def as_properties(settings: Mapping[str, str]) -> str:
    """Settings in the form of a server.properties file."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings in the form that Kafka's images read: `a.b_c-d` becomes `KAFKA_A_B__C___D`."""
    return {f"KAFKA_{_variable(name)}": value for name, value in settings.items()}


def _variable(name: str) -> str:
    return name.upper().replace("_", "__").replace("-", "___").replace(".", "_")
