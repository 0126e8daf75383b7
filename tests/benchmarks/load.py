"""How long a committed output takes when a worker has hardly anything to do, and when it is near its limit."""

from __future__ import annotations

from tests.benchmarks.guarantee import capacity
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage
from tests.benchmarks.transactions import at_rate, interval_job

__all__ = ["run"]

_IDLE = 10
_SHARES = (0.4, 0.8)
_EVERY = 100
"""Only so many outputs are read under load: the reader shares the machine with what it measures."""


def run(stage: Stage) -> Section:
    """Latency when idle and at shares of what one worker can do."""
    seconds = stage.pick(30.0, 4.0)
    limit = capacity(stage)
    stage.tell(f"one worker: {limit:.0f} records/s")
    loads = [
        ("idle", _IDLE, 1),
        *((f"{share:.0%} of the backlog's rate", int(share * limit), _EVERY) for share in _SHARES),
    ]
    figures = [figure for name, rate, every in loads for figure in _at(stage, name, rate, every, seconds)]
    return Section(
        "load",
        f"The job of the figures above on one worker, at a steady rate for {seconds:.0f} s; from the broker's append "
        f"time until a reader of committed records has the output. A backlog is worked off at {limit:.0f} records/s. "
        "Feeder, broker, worker and reader share the machine.",
        tuple(figures),
    )


def _at(stage: Stage, name: str, rate: int, every: int, seconds: float) -> list[Figure]:
    found = [at_rate(stage, rate, seconds, interval_job(every)) for _ in range(stage.repeats)]
    middle, late, made = zip(*found, strict=True)
    label = f"{name}, {rate} records/s"
    return [
        Figure.of(f"{label}: median", "ms", middle),
        Figure.of(f"{label}: 99th percentile", "ms", late),
        Figure.of(f"{label}: records in a transaction, mean", "records", made),
    ]
