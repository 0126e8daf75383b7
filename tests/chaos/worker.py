"""`python -m tests.chaos.worker`: a worker as it is, judging by the counting fold; CHAOS_… variables arm it.

* `CHAOS_FAILPOINT`: where it kills itself, see `failpoints`.
* `CHAOS_RAISE`: share of batches, 0 to 1, at which the rule raises although nothing is wrong with the records; never
  twice running for a partition, because a record at which it always breaks is poison and must be buried.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping
from typing import Any

import faust
import uvloop
from tests.chaos.failpoints import FailPoint, FailPointMetrics
from tests.support.counting import CountingFold, Numbers, Tally

from snowshed.streams import logs
from snowshed.streams.folding import Batch, Step
from snowshed.streams.hosting import build
from snowshed.streams.metrics import Metrics
from snowshed.streams.settings import WorkerSettings

BUG = "a rule with a bug"


class RaisingFold(CountingFold):
    """A counting fold that breaks now and then, as a rule with a bug would."""

    def __init__(self, share: float) -> None:
        self._share, self._random = share, random.Random(os.getpid())
        self._broke: set[int] = set()

    def step(self, state: Mapping[str, Tally], batch: Batch[Numbers]) -> Step[Tally]:
        """Count, unless the moment is a bad one."""
        if batch.records and batch.partition not in self._broke and self._random.random() < self._share:
            self._broke.add(batch.partition)
            raise RuntimeError(BUG)
        self._broke.discard(batch.partition)
        return super().step(state, batch)


def main() -> None:
    """Run the worker until it is stopped or dies."""
    settings = WorkerSettings()
    logs.configure(settings.log_format, settings.log_level)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    fold = RaisingFold(float(os.environ.get("CHAOS_RAISE", "0")))
    app = build(settings, {fold.agent: fold}, metrics=_metrics())
    worker: Any = faust.Worker(app, loop=loop, quiet=True, override_logging=False, redirect_stdouts=False)
    worker.spinner = None
    worker.execute_from_commandline()


def _metrics() -> Metrics:
    point = os.environ.get("CHAOS_FAILPOINT")
    return FailPointMetrics(FailPoint.parse(point)) if point else Metrics()


if __name__ == "__main__":
    main()
