"""The one place where telemetry meets librdkafka."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

from snowshed.producers._throttle import Throttle
from snowshed.schemas.connection import KafkaConnection, Property

__all__ = ["CLIENT_SETTINGS", "Delivered", "open_producer"]

_log = structlog.get_logger()
_LOG_PERIOD = 60.0

Delivered = Callable[[Any, Any], None]
"""What librdkafka calls with (error or None, message) once a record's fate is known."""

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
    "reconnect.backoff.max.ms": 2_000,
}


class _DebugLog:
    """Receives librdkafka's log lines, which would otherwise flood the host program's stderr."""

    def __init__(self) -> None:
        self._throttle = Throttle(_LOG_PERIOD)

    def log(self, _level: int, _format: str, facility: str, client: str, text: str) -> None:
        if self._throttle.allows(time.monotonic()):
            _log.debug("librdkafka", facility=facility, client=client, text=text)


def open_producer(connection: KafkaConnection, client_id: str, on_error: Callable[[Any], None]) -> Any:
    """A confluent-kafka `Producer`; raises its KafkaException when a property is refused."""
    # Imported here because it costs a host program that never starts telemetry 50 ms and a shared library.
    from confluent_kafka import Producer  # noqa: PLC0415

    settings: dict[str, Any] = dict(connection.librdkafka({**CLIENT_SETTINGS, "client.id": client_id}))
    return Producer({**settings, "logger": _DebugLog(), "error_cb": on_error})
