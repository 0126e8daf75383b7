"""What the folds cost on one thread: microseconds of CPU time a message or row, median and spread over repeats.

Run `python tests/benchmarks/bench_folds.py [repeats]`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import thread_time
from typing import Any, Protocol

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Heartbeat, Marker, ReplicaRole, TimingBatch, Vantage
from snowshed.streams.edges import TimingFold
from snowshed.streams.edges.layout import COLUMNS
from snowshed.streams.folding import Batch, Decoded, Message, Step
from snowshed.streams.health import HeartbeatFold
from snowshed.streams.lag import MarkerFold
from snowshed.streams.policy import Policy

START = 1_700_000_000.0
CODEC = Codec()


class AnyFold(Protocol):
    """What the bench needs of a fold."""

    def decode(self, messages: Sequence[Message]) -> Decoded[Any]: ...
    def step(self, state: Mapping[str, Any], batch: Batch[Any]) -> Step[Any]: ...
    def dump(self, value: Any) -> bytes: ...


def measure(
    name: str, unit: str, fold: AnyFold, batches: Callable[[int], list[Message]], *, units: int, repeats: int
) -> None:
    """Fold `repeats` batches of `units` units each, after two to warm up, and print what each part cost."""
    state: dict[str, Any] = {}
    costs: dict[str, list[float]] = {"decode": [], "fold": [], "dump": [], "decode+fold": []}
    for number in range(repeats + 2):
        messages = batches(number)
        begun = thread_time()
        decoded = fold.decode(messages)
        read = thread_time()
        step = fold.step(state, Batch(0, 0, len(messages), number, messages[-1].timestamp, True, 0.0, decoded.records))
        folded = thread_time()
        for value in step.changes.values():
            if value is not None:
                fold.dump(value)
        dumped = thread_time()
        state.update({key: value for key, value in step.changes.items() if value is not None})
        if number >= 2:
            parts = (read - begun, folded - read, dumped - folded, folded - begun)
            for part, seconds in zip(costs, parts, strict=True):
                costs[part].append(seconds / units * 1e6)
    figures = "  ".join(f"{part} {median(cost):.2f} [{min(cost):.2f}-{max(cost):.2f}]" for part, cost in costs.items())
    print(f"{name:<54} µs/{unit}: {figures}")


def heartbeats(nodes: int, beats: int) -> Callable[[int], list[Message]]:
    """Batches of `beats` beats from each of `nodes` nodes, half a second apart."""

    def batch(number: int) -> list[Message]:
        messages: list[Message] = []
        for seq in range(number * beats + 1, number * beats + beats + 1):
            for node in range(nodes):
                beat = Heartbeat(
                    node=f"node-{node}",
                    service=f"service-{node % 20}",
                    zone="a",
                    host=f"host-{node}",
                    version="1.2.3",
                    seq=float(seq),
                    sent_at=START + seq / 2,
                    monotonic=seq / 2,
                    interval=0.5,
                    cpu=0.3,
                    memory=0.5,
                    pool=0.1,
                )
                messages.append(Message(0, START + seq / 2 + 0.01, None, CODEC.encode(beat)))
        return messages

    return batch


def timings(batches: int, rows: int, callers: int, statements: int = 0) -> Callable[[int], list[Message]]:
    """Batches of `batches` timing batches with `rows` rows each, over 20 callees, one a second."""
    encoded = [CODEC.encode(timing_batch(number, rows, callers, statements)) for number in range(batches)]

    def batch(number: int) -> list[Message]:
        return [Message(0, START + number, None, value) for value in encoded]

    return batch


def timing_batch(number: int, rows: int, callers: int, statements: int = 0, buckets: int = 8) -> TimingBatch:
    """One batch with eight latency buckets a row, and so many different fingerprints."""
    strings = [f"caller-{(number + index) % 40}" for index in range(callers)]
    strings += [f"GET /{index}" for index in range(20)] + [f"{index:016x}" for index in range(statements)] + [""]
    columns: dict[str, Any] = dict.fromkeys(COLUMNS, (1.0,) * rows)
    columns["caller"] = tuple(float(row % callers) for row in range(rows))
    columns["operation"] = tuple(float(callers + row % 20) for row in range(rows))
    columns["statement"] = tuple(float(callers + 20 + row % max(statements, 1)) for row in range(rows))
    columns["latency_end"] = tuple(float(buckets * (row + 1)) for row in range(rows))
    return TimingBatch(
        reporter=f"reporter-{number}",
        service=strings[0],
        callee=f"callee-{number % 20}",
        vantage=Vantage.CALLER if callers == 1 else Vantage.CALLEE,
        window_start=START,
        window=1.0,
        sent_at=START,
        strings=tuple(strings),
        **columns,
        latency_bucket=tuple(float(100 + (7 * index + number) % 60) for index in range(rows * buckets)),
        latency_count=(1.0,) * (rows * buckets),
    )


def markers(datasets: int, replicas: int) -> Callable[[int], list[Message]]:
    """Batches of one marker from each of `replicas` replicas and the source of each dataset, half a second apart."""

    def batch(number: int) -> list[Message]:
        at = START + number / 2
        return [
            Message(0, at + 0.002, None, CODEC.encode(marker(at, number, dataset, server)))
            for dataset in range(datasets)
            for server in range(replicas + 1)
        ]

    return batch


def marker(at: float, version: int, dataset: int, server: int) -> Marker:
    """Server 0 is the source."""
    return Marker(
        dataset=f"dataset-{dataset}",
        replica=f"server-{server}",
        role=ReplicaRole.REPLICA if server else ReplicaRole.SOURCE,
        system="postgresql",
        node=f"node-{dataset}-{server}",
        writer=f"node-{dataset}-0",
        version=float(version),
        written_at=at,
        seen_at=at,
        sent_at=at,
        monotonic=at - START,
        round_trip=0.004,
        row_period=0.5,
        poll_period=0.5,
    )


def main(repeats: int) -> None:
    """Print one line a case."""
    policy = Policy()
    for beats in (1, 5):
        name = f"heartbeats: 1000 nodes, batches of {1000 * beats}"
        measure(name, "message", HeartbeatFold(policy), heartbeats(1000, beats), units=1000 * beats, repeats=repeats)
    for batches, rows, callers in ((25, 200, 1), (100, 200, 1), (100, 200, 20), (500, 20, 1)):
        name = f"timings: {batches} batches of {rows} rows, {callers} callers each"
        measure(name, "row", TimingFold(policy), timings(batches, rows, callers), units=batches * rows, repeats=repeats)
    for statements in (10, 50):
        name = f"timings: 100 batches of 200 rows, {statements} statements"
        measure(name, "row", TimingFold(policy), timings(100, 200, 1, statements), units=20_000, repeats=repeats)
    measure(
        "markers: 20 datasets, 3 replicas each",
        "message",
        MarkerFold(policy),
        markers(20, 3),
        units=80,
        repeats=repeats,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
