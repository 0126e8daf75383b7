"""Feeds the input topic at a steady rate through all the trouble, and tells which numbers the broker acknowledged."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaError, Message, Producer
from tests.support.counting import payload

from snowshed.schemas.connection import KafkaConnection

__all__ = ["Feeder", "Mix"]

_ABORTED_EVERY = 0.5
_OVERSIZED_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares, 0 to 1, of records that are no plain numbers."""

    poison: float = 0.0
    """The rule always raises on them."""
    garbage: float = 0.0
    """They cannot be decoded."""
    oversized: float = 0.0
    """Near the largest that a broker takes; undecodable as well."""
    aborted: bool = False
    """Whether a transaction with records of its own is aborted twice a second."""


class Feeder:
    """A thread with an idempotent producer that retries until the broker answers.

    Args:
        connection: where the broker is.
        topic: the input topic.
        rate: records a second.
        seconds: for how long.
        keys: how many keys.
        seed: of keys and of what is mixed in.
        mix: what is mixed in.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        *,
        rate: float,
        seconds: float,
        keys: int = 24,
        seed: int = 0,
        mix: Mix | None = None,
    ) -> None:
        self.acknowledged: list[int] = []
        self.failed: list[str] = []
        self.injected = 0
        """Bad records acknowledged, and transactions aborted."""
        self._connection, self._topic = connection, topic
        self._rate, self._count, self._keys = rate, int(rate * seconds), keys
        self._random, self._mix = random.Random(seed), mix or Mix()
        self._stop, self._fed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def start(self) -> None:
        """Begin to feed."""
        self._thread.start()

    def stop(self) -> None:
        """End before the time."""
        self._stop.set()
        self.join()

    def join(self, timeout: float = 300.0) -> None:
        """Wait until everything is acknowledged."""
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "the feeder could not get rid of its records"

    @property
    def fed(self) -> bool:
        """Whether everything has been handed to the client, acknowledged or not."""
        return self._fed.is_set()

    @property
    def done(self) -> bool:
        """Whether everything is acknowledged."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def _run(self) -> None:
        producer = Producer(
            self._connection.librdkafka(
                {
                    "enable.idempotence": True,
                    "linger.ms": 2,
                    "partitioner": "murmur2_random",
                    "delivery.timeout.ms": 240_000,
                    "message.max.bytes": 2_000_000,
                    "log_level": 0,
                }
            )
        )
        started, aborter = time.monotonic(), _Aborter(self._connection, self._topic) if self._mix.aborted else None
        for number in range(self._count):
            due = started + number / self._rate
            while (ahead := due - time.monotonic()) > 0:
                producer.poll(min(ahead, 0.1))
            if self._stop.is_set():
                break
            if aborter is not None and aborter.try_one(time.monotonic()):
                self.injected += 1
            value, plain = self._value(number)
            key = f"key-{self._random.randrange(self._keys)}"
            producer.produce(self._topic, value, key, on_delivery=self._noted(number if plain else None))
        self._fed.set()
        while producer.flush(1) and not self.failed:
            pass
        if aborter is not None:
            aborter.settle()

    def _value(self, number: int) -> tuple[bytes, bool]:
        """The record's bytes, and whether it is a plain number."""
        draw, mix = self._random.random(), self._mix
        if draw < mix.poison:
            return payload(number, poison=True), False
        if draw < mix.poison + mix.garbage:
            return b"\xff" + secrets.token_bytes(20), False
        if draw < mix.poison + mix.garbage + mix.oversized:
            return b"\xff" + secrets.token_bytes(_OVERSIZED_BYTES), False
        return payload(number), True

    def _noted(self, number: int | None) -> _Noted:
        return _Noted(self, number)


@dataclass(frozen=True, slots=True)
class _Noted:
    feeder: Feeder
    number: int | None

    def __call__(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self.feeder.failed.append(str(error))
        elif self.number is None:
            self.feeder.injected += 1
        else:
            self.feeder.acknowledged.append(self.number)


class _Aborter:
    """Writes records into the input that no reader of committed data may ever see."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._topic, self._next = topic, 0.0
        own: Mapping[str, str | int] = {"transactional.id": f"{topic}-aborter", "log_level": 0}
        self._producer = Producer(connection.librdkafka(own))
        self._producer.init_transactions(60)

    def try_one(self, now: float) -> bool:
        if now < self._next:
            return False
        self._next = now + _ABORTED_EVERY
        self._producer.begin_transaction()
        for number in range(5):
            self._producer.produce(self._topic, payload(10_000_000 + number), f"key-{number}")
        self._producer.flush(5)
        self.settle()
        return True

    def settle(self) -> None:
        """Abort what is open."""
        try:
            self._producer.abort_transaction(30)
        except Exception as error:  # nothing was open
            if "state" not in str(error).lower():
                raise
