"""The one place where telemetry meets librdkafka."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from snowshed.producers._log import ForkSafeLog
from snowshed.producers._throttle import Throttle
from snowshed.schemas.connection import KafkaConnection, Property

__all__ = ["CLIENT_SETTINGS", "load_client", "open_producer"]

_log = ForkSafeLog()
_LOG_PERIOD = 60.0
# Imported when telemetry is set up: it costs a program that merely imports this package 50 ms and a shared library.
_CLIENT = "confluent_kafka"

CLIENT_SETTINGS: dict[str, Property] = {
    # Every client must place a key on the same partition, and Kafka's own clients hash by murmur2.
    "partitioner": "murmur2_random",
    "compression.type": "lz4",
    "linger.ms": 20,
    "acks": "all",
    "enable.idempotence": True,
    # The ring buffer in front decides what is dropped; librdkafka itself holds little and gives up on the stale.
    "queue.buffering.max.messages": 1_000,
    "queue.buffering.max.kbytes": 16_384,
    "message.timeout.ms": 30_000,
}


class _DebugLog:
    """Receives librdkafka's log lines, which would otherwise flood the host program's stderr."""

    def __init__(self) -> None:
        self._throttle = Throttle(_LOG_PERIOD)

    def log(self, _level: int, _format: str, facility: str, client: str, text: str) -> None:
        if self._throttle.allows(time.monotonic()):
            _log.debug("librdkafka", facility=facility, client=client, text=text)


def load_client() -> None:
    """Import confluent-kafka, in the thread that sets telemetry up: a fork must not find the import half done."""
    import_module(_CLIENT)


def open_producer(connection: KafkaConnection, client_id: str, on_error: Callable[[Any], None]) -> Any:
    """A confluent-kafka `Producer`; raises its KafkaException when a property is refused."""
    settings: dict[str, Any] = dict(connection.librdkafka({**CLIENT_SETTINGS, "client.id": client_id}))
    return import_module(_CLIENT).Producer({**settings, "logger": _DebugLog(), "error_cb": on_error})
