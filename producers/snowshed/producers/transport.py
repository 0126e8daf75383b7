"""Carries telemetry to Kafka without ever blocking, slowing or failing the program that produces it."""

from __future__ import annotations

import atexit
import secrets
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from threading import RLock
from typing import Any, Protocol
from weakref import WeakSet

from snowshed.producers._background import Background
from snowshed.producers._kafka import load_client, open_producer
from snowshed.producers._log import ForkSafeLog
from snowshed.producers._throttle import Throttle
from snowshed.producers.round_trip import WindowMinimum
from snowshed.schemas.cloudevents import headers
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.forking import survive_fork
from snowshed.schemas.records import Heartbeat, Marker, Record
from snowshed.schemas.topics import Topics

__all__ = ["Closable", "Outlet", "Transport", "TransportStats"]

_log = ForkSafeLog()

_IDLE = 1.0
_BUSY_POLL = 0.05
_REOPEN_AFTER = 5.0
_LOG_PERIOD = 60.0
_EXIT_BUDGET = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportStats:
    """What became of the records handed to a transport in this process."""

    accepted: int = 0
    delivered: int = 0
    lost: int = 0
    """Dropped from the full buffer, refused by the broker or not encodable."""
    queued: int = 0
    capacity: int = 1
    round_trip: float = float("nan")
    """Smallest time from a record's own time stamp to its acknowledgement over the last 5 minutes, in seconds."""

    @property
    def backlog(self) -> float:
        """Share of the buffer in use, 0 to 1."""
        return self.queued / self.capacity


class Outlet(Protocol):
    """Where the recorder, the heartbeat and the markers hand their records."""

    def send(self, topic: str, key: str, record: Record) -> None:
        """Take a record for the topic with this short name; returns at once and never raises."""
        ...

    def flush(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for everything sent so far; True if all of it was dealt with."""
        ...

    def stats(self) -> TransportStats:
        """The counters so far."""
        ...


class Closable(Outlet, Protocol):
    """An outlet that can be shut."""

    def close(self, timeout: float) -> bool:
        """Flush for at most `timeout` seconds and take no more; True if everything was dealt with."""
        ...


@dataclass(frozen=True, slots=True)
class _Item:
    topic: str
    key: str
    record: Record


class Transport:
    """A ring buffer, the background thread that empties it and the process's one Kafka producer.

    `send` costs the caller an append. When the broker is away or too slow the oldest records give way to the newest
    and are counted. Nothing is opened before the first record; after a fork the child opens its own.

    Args:
        connection: the Kafka cluster.
        topics: names of the topics.
        codec: how records become bytes.
        source: who writes, as client id and CloudEvents source.
        capacity: records kept while the broker does not take them.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        *,
        topics: Topics | None = None,
        codec: Codec | None = None,
        source: str = "snowshed",
        capacity: int = 2_000,
    ) -> None:
        load_client()
        self._connection = connection
        self._topics = topics or Topics()
        self._codec = codec or Codec()
        self._source = source
        self._capacity = capacity
        self._background = Background("snowshed-transport", self._pump)
        self._abandoned: Any = None
        self._producer: Any = None
        self._reset()
        survive_fork(self)
        _OPEN.add(self)

    def send(self, topic: str, key: str, record: Record) -> None:
        """Take a record for the topic with this short name; never blocks and never raises."""
        with self._lock:
            self._accepted += 1
            if len(self._ring) >= self._capacity:
                self._ring.popleft()
                self._lost += 1
            self._ring.append(_Item(topic, key, record))
        if not self._background.running and not self._closed:
            self._background.start()
        self._background.wake()

    @property
    def round_trip(self) -> float:
        """Smallest produce round trip of the last 5 minutes, in seconds; NaN before the first."""
        return self._round_trips.at(time.monotonic())

    def stats(self) -> TransportStats:
        """The counters of this process so far."""
        return TransportStats(
            accepted=self._accepted,
            delivered=self._delivered,
            lost=self._lost,
            queued=len(self._ring),
            capacity=self._capacity,
            round_trip=self.round_trip,
        )

    def flush(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until every record sent so far is delivered or lost."""
        accepted, until = self._accepted, time.monotonic() + timeout
        while self._delivered + self._lost < accepted:
            if time.monotonic() >= until or not self._background.running:
                return False
            self._hurry(min(_BUSY_POLL, max(0.0, until - time.monotonic())))
        return True

    def close(self, timeout: float = _EXIT_BUDGET) -> bool:
        """Flush, then end the thread and the connection; what is sent afterwards is only counted."""
        until = time.monotonic() + timeout
        delivered = self.flush(timeout)
        self._closed = True
        self._background.stop(max(0.05, until - time.monotonic()))
        self._producer = None
        _OPEN.discard(self)
        return delivered

    def after_fork(self) -> None:
        """Start afresh in a forked child: records still queued are the parent's to send."""
        # Freeing the parent's client would hold up the child for a second: librdkafka waits for threads it lost.
        self._abandoned = (self._abandoned, self._producer)
        self._reset()

    def _reset(self) -> None:
        self._lock = RLock()
        self._ring: deque[_Item] = deque()
        self._producer = None
        self._broken = False
        self._reopen_at = 0.0
        self._accepted = self._delivered = self._lost = self._sequence = 0
        self._round_trips = WindowMinimum()
        self._reachable = True
        self._complaints = Throttle(_LOG_PERIOD)
        self._closed = False
        self._run_id = secrets.token_hex(8)

    def _hurry(self, seconds: float) -> None:
        self._background.wake()
        producer = self._producer
        if producer is not None:
            producer.flush(0)
        # Slept here and not in the client, whose waits last longer by what the wall clock is set back meanwhile.
        time.sleep(min(seconds, 0.005))

    def _pump(self) -> float:
        """Hand what is queued to librdkafka and serve its reports; returns seconds until it is due again."""
        producer = self._producer or self._open()
        if producer is None:
            return _IDLE
        while (item := self._take()) is not None:
            if not self._produce(producer, item):
                break
        in_flight = len(producer)
        producer.poll(_BUSY_POLL if in_flight else 0)
        if self._broken:
            self._retire(producer)
        return 0.0 if in_flight else _IDLE

    def _open(self) -> Any:
        now = time.monotonic()
        if now < self._reopen_at:
            return None
        self._reopen_at = now + _REOPEN_AFTER
        try:
            self._producer = open_producer(self._connection, self._source, self._on_error)
        except Exception as error:  # noqa: BLE001 - a wrong property must not fail the host; the log line names it
            self._complain("telemetry_disabled", repr(error))
        return self._producer

    def _retire(self, producer: Any) -> None:
        """Give up a client that a fatal error has made useless, accounting for what it still held."""
        producer.purge()
        producer.poll(0)
        self._producer = None
        self._broken = False

    def _take(self) -> _Item | None:
        with self._lock:
            return self._ring.popleft() if self._ring else None

    def _put_back(self, item: _Item) -> None:
        with self._lock:
            if len(self._ring) < self._capacity:
                self._ring.appendleft(item)
            else:
                self._lost += 1

    def _produce(self, producer: Any, item: _Item) -> bool:
        """False when librdkafka takes no more for now."""
        record = item.record
        # The bound on a clock offset must span the whole way from the time stamp inside the record to the broker.
        stamped = record.monotonic if isinstance(record, Heartbeat | Marker) else None
        self._sequence += 1
        try:
            producer.produce(
                self._topics.full(item.topic),
                key=item.key.encode(),
                value=self._codec.encode(record),
                headers=headers(
                    record, event_id=f"{self._run_id}-{self._sequence}", source=self._source, time=time.time()
                ),
                on_delivery=partial(self._on_delivery, stamped),
            )
        except BufferError:
            self._put_back(item)
            return False
        except Exception as error:  # noqa: BLE001 - one record that cannot be sent must not hold up the others
            self._on_loss("telemetry_not_sent", repr(error))
        return True

    def _on_delivery(self, stamped: float | None, error: Any, _message: Any) -> None:
        if error is not None:
            self._on_loss("telemetry_not_delivered", str(error))
            return
        now = time.monotonic()
        with self._lock:
            self._delivered += 1
        if stamped is not None and stamped <= now:
            self._round_trips.add(now - stamped, now)
        if not self._reachable:
            self._reachable = True
            _log.info("kafka_reachable", bootstrap=self._connection.bootstrap, lost=self._lost)

    def _on_loss(self, event: str, reason: str) -> None:
        with self._lock:
            self._lost += 1
        self._complain(event, reason)

    def _on_error(self, error: Any) -> None:
        if error.fatal():
            self._broken = True
            self._complain("kafka_client_restarted", str(error))
        elif error.name() == "_ALL_BROKERS_DOWN" and self._reachable:
            self._reachable = False
            self._complain("kafka_unreachable", str(error))

    def _complain(self, event: str, reason: str) -> None:
        if self._complaints.allows(time.monotonic()):
            _log.warning(event, bootstrap=self._connection.bootstrap, reason=reason, lost=self._lost)


_OPEN: WeakSet[Transport] = WeakSet()


def _at_exit() -> None:
    until = time.monotonic() + _EXIT_BUDGET
    for transport in list(_OPEN):
        transport.close(max(0.0, until - time.monotonic()))


atexit.register(_at_exit)
