"""Waits until a broker serves metadata."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from snowshed.schemas.errors import BrokerUnavailable

__all__ = ["wait_ready"]

_POLL = 0.05


def _ignore(error: KafkaError) -> None:
    """Swallow what librdkafka would otherwise print for every refused connection of a starting broker."""


def _always() -> None:
    """The check of a broker whose process nobody watches."""


def wait_ready(
    bootstrap: str,
    *,
    brokers: int = 1,
    timeout: float = 60.0,
    check: Callable[[], None] = _always,
    client: Mapping[str, str] | None = None,
) -> None:
    """Return as soon as the metadata lists that many brokers.

    Args:
        bootstrap: addresses, `host:port[,host:port…]`.
        brokers: how many must be listed.
        timeout: seconds.
        check: called between attempts; ends the wait by raising, for example when the process has died.
        client: further librdkafka properties, such as `security.protocol`.

    Raises:
        BrokerUnavailable: the time is up.
    """
    configuration: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "log_level": 0,
        "error_cb": _ignore,
        "reconnect.backoff.max.ms": 200,
        "socket.connection.setup.timeout.ms": 2000,
        **(client or {}),
    }
    admin = AdminClient(configuration)
    deadline = time.monotonic() + timeout
    listed = 0
    while time.monotonic() < deadline:
        check()
        try:
            listed = len(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            listed = 0
        if listed >= brokers:
            return
        time.sleep(_POLL)
    raise BrokerUnavailable(
        f"Kafka at {bootstrap} lists {listed} of {brokers} brokers after {timeout:.0f} s; "
        "check that the address is right and that the broker runs"
    )
