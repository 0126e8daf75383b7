"""A real Kafka broker, found or started: an external one, one in Docker, or one run by the system's Java."""

from .choose import BrokerSettings, Kind, candidates
from .container import KAFKA_IMAGE, ContainerKafka
from .jars import KAFKA_VERSION, ensure_jars
from .java import Java, find_java
from .local import LocalKafka
from .maven import Download, Progress, ensure_download
from .opening import Broker, open_broker
from .ports import free_ports
from .readiness import wait_ready

__all__ = [
    "KAFKA_IMAGE",
    "KAFKA_VERSION",
    "Broker",
    "BrokerSettings",
    "ContainerKafka",
    "Download",
    "Java",
    "Kind",
    "LocalKafka",
    "Progress",
    "candidates",
    "ensure_download",
    "ensure_jars",
    "find_java",
    "free_ports",
    "open_broker",
    "wait_ready",
]
