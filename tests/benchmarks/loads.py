"""Records to work on, made fast: each sender's record is encoded once, then only its numbers are replaced."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from typing import NamedTuple

from confluent_kafka import Producer
from tests.benchmarks.stage import Stage

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Heartbeat, TimingBatch, Vantage
from snowshed.schemas.sketch import bucket_of

__all__ = ["ROWS", "Item", "fill", "heartbeats", "json_heartbeats", "paced", "timings"]

INTERVAL = 0.5
"""Seconds between the heartbeats of a node."""
ROWS = 200
"""Rows of a timing batch."""

_BUCKETS_A_ROW = 4
_VARYING = struct.Struct("<3d")
_NUMBERS_BYTES = 8 * sum(item.type == "float" for item in fields(Heartbeat))


class Item(NamedTuple):
    """One record for the log."""

    key: bytes
    value: bytes
    timestamp: float
    """Seconds since the Unix epoch."""


def heartbeats(nodes: int, beats: int, start: float) -> Iterator[Item]:
    """`beats` heartbeats of each of `nodes` nodes, half a second apart, the nodes spread evenly over it."""
    templates = [_heartbeat_template(number) for number in range(nodes)]
    pack = _VARYING.pack
    for beat in range(beats):
        for number, (key, words, constants) in enumerate(templates):
            at = start + INTERVAL * (beat + number / nodes)
            yield Item(key, words + pack(beat, at, at) + constants, at)


def _heartbeat_template(number: int) -> tuple[bytes, bytes, bytes]:
    node = f"node-{number:05d}"
    beat = Heartbeat(
        node=node,
        service=f"service-{number % 40:02d}",
        zone=f"zone-{number % 3}",
        region="region-1",
        host=f"host-{number // 10:04d}",
        version="1.4.2",
        seq=1.0,
        sent_at=2.0,
        monotonic=3.0,
        interval=INTERVAL,
        round_trip=0.002,
        cpu=0.4,
        memory=0.6,
        pool=0.3,
    )
    encoded = Codec().encode(beat)
    words, numbers = encoded[:-_NUMBERS_BYTES], encoded[-_NUMBERS_BYTES:]
    patched = words + _VARYING.pack(7.0, 8.0, 9.0) + numbers[_VARYING.size :]
    if repr(Codec().decode(patched)) != repr(replace(beat, seq=7.0, sent_at=8.0, monotonic=9.0)):
        raise ValueError("the wire form of heartbeats has changed: its numbers no longer lie where they are replaced")
    return node.encode(), words, numbers[_VARYING.size :]


def json_heartbeats(nodes: int, beats: int, start: float) -> Iterator[Item]:
    """The same as JSON of about 200 bytes, for systems that do not read ours; sequence numbers differ by node."""
    templates = [_json_template(number) for number in range(nodes)]
    for beat in range(beats):
        for number, (key, template) in enumerate(templates):
            at = start + INTERVAL * (beat + number / nodes)
            yield Item(key, template % (beat + number, at), at)


def _json_template(number: int) -> tuple[bytes, bytes]:
    node = b"node-%05d" % number
    head = b'{"node":"%s","service":"service-%02d","zone":"zone-%d"' % (node, number % 40, number % 3)
    rest = b',"cpu":0.41,"memory":0.625,"queue_delay":0.0015,"in_flight":12,"limit":100,"version":"1.4.2"}'
    return node, head + b',"seq":%d,"sent_at":%.3f' + rest


def timings(callees: int, reporters: int, batches: int, start: float) -> Iterator[Item]:
    """Timing batches of `ROWS` rows: every second one from each reporter on each callee."""
    senders = [(reporter, callee) for reporter in range(reporters) for callee in range(callees)]
    made = [_timing_batch(*sender, start) for sender in senders]
    for number in range(batches):
        second, sender = divmod(number, len(made))
        yield Item(*made[sender], start + second + sender / len(made))


def _timing_batch(reporter: int, callee: int, start: float) -> tuple[bytes, bytes]:
    name = f"service-{callee:02d}"
    count = tuple(float(10 + row % 7) for row in range(ROWS))
    none = (0.0,) * ROWS
    latencies = [bucket_of(0.002 * (1 + step)) for step in range(_BUCKETS_A_ROW)]
    batch = TimingBatch(
        reporter=f"caller-{reporter:02d}@host",
        service=f"caller-{reporter:02d}",
        callee=name,
        vantage=Vantage.CALLER,
        window_start=start,
        window=1.0,
        sent_at=start,
        strings=("", f"caller-{reporter:02d}", *(f"GET /resource/{row}" for row in range(ROWS))),
        caller=(1.0,) * ROWS,
        operation=tuple(float(2 + row) for row in range(ROWS)),
        statement=none,
        first=count,
        attempts=count,
        ok=count,
        error_local=none,
        error_downstream=none,
        rejected=none,
        timeout=none,
        in_flight_max=(3.0,) * ROWS,
        queue_delay_sum=(0.004,) * ROWS,
        queue_delay_max=(0.001,) * ROWS,
        latency_sum=(0.06,) * ROWS,
        latency_end=tuple(float(_BUCKETS_A_ROW * (row + 1)) for row in range(ROWS)),
        latency_bucket=tuple(float(bucket) for bucket in latencies * ROWS),
        latency_count=(3.0,) * (_BUCKETS_A_ROW * ROWS),
    )
    return name.encode(), Codec().encode(batch)


def fill(stage: Stage, topic: str, items: Iterable[Item], *, compression: str = "lz4") -> int:
    """Write everything as fast as it goes; how many records it was."""
    producer = _producer(stage, linger=50, compression=compression)
    count = 0
    for item in items:
        _produce(producer, topic, item, stamped=True)
        count += 1
        if count % 1000 == 0:
            producer.poll(0)
    _flush(producer)
    return count


def paced(stage: Stage, topic: str, items: Iterable[Item], rate: float, seconds: float) -> None:
    """Write `rate` records a second for so long, evenly; the broker stamps them."""
    producer = _producer(stage, linger=0, compression="lz4")
    source = iter(items)
    started = time.perf_counter()
    sent = 0
    while (elapsed := time.perf_counter() - started) < seconds:
        due = int(rate * elapsed)
        for _ in range(due - sent):
            _produce(producer, topic, next(source), stamped=False)
        sent = due
        producer.poll(0.001)
    _flush(producer)


def _producer(stage: Stage, *, linger: int, compression: str) -> Producer:
    return Producer(
        stage.connection.librdkafka(
            {
                "linger.ms": linger,
                "partitioner": "murmur2_random",
                "compression.type": compression,
                "queue.buffering.max.messages": 500_000,
                "queue.buffering.max.kbytes": 262_144,
            }
        )
    )


def _produce(producer: Producer, topic: str, item: Item, *, stamped: bool) -> None:
    stamp = int(item.timestamp * 1000) if stamped else 0
    while True:
        try:
            producer.produce(topic, item.value, item.key, timestamp=stamp)
        except BufferError:
            producer.poll(0.1)
        else:
            return


def _flush(producer: Producer) -> None:
    if left := producer.flush(120):
        raise TimeoutError(f"{left} records could not be written within two minutes")
