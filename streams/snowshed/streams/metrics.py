"""What a worker exposes to Prometheus; every duration in seconds."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from snowshed.streams.transactions.events import AbortedBatch, Backlog, CommittedBatch, LaneChange, Reached
from snowshed.streams.transactions.states import LaneState

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counts what lanes report; a `LaneWatcher` that any thread may call."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["agent"]
        self._records = Counter("snowshed_records", "Input records committed.", labels, registry=self.registry)
        self._emissions = Counter("snowshed_emissions", "Output records committed.", labels, registry=self.registry)
        self._letters = Counter(
            "snowshed_dead_letters", "Records that could not be used.", labels, registry=self.registry
        )
        self._skipped = Counter(
            "snowshed_records_skipped", "Records seen a second time and dropped.", labels, registry=self.registry
        )
        self._lost = Counter(
            "snowshed_records_lost",
            "Records that never came, as their senders' counts and gaps show.",
            labels,
            registry=self.registry,
        )
        self._clock = Gauge(
            "snowshed_clock_off_seconds",
            "How far the worst of the nodes' clocks is off from the broker's.",
            ["agent", "partition"],
            registry=self.registry,
        )
        self._aborts = Counter(
            "snowshed_transaction_aborts", "Transactions undone.", ["agent", "cause"], registry=self.registry
        )
        self._commit = Histogram(
            "snowshed_transaction_seconds",
            "Time to write and commit.",
            labels,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._fold = Histogram(
            "snowshed_fold_seconds", "Time to judge a batch.", labels, buckets=_SECONDS, registry=self.registry
        )
        self._lag = Gauge(
            "snowshed_detector_lag_seconds",
            "Age of the newest record of the last batch when it was folded.",
            ["agent", "partition"],
            registry=self.registry,
        )
        self._backlog = Gauge(
            "snowshed_backlog_records",
            "Records in the input that the partition's lane has not yet taken.",
            ["agent", "partition"],
            registry=self.registry,
        )
        self._last = Gauge(
            "snowshed_last_commit_time_seconds",
            "When the partition last committed, seconds since the Unix epoch.",
            ["agent", "partition"],
            registry=self.registry,
        )
        self._lanes = Gauge("snowshed_lanes", "Lanes by state.", ["state"], registry=self.registry)
        self._state_seconds = Histogram(
            "snowshed_lane_state_seconds",
            "Time a lane spent in a state that it left.",
            ["state"],
            buckets=_SECONDS,
            registry=self.registry,
        )

    def changed(self, event: LaneChange) -> None:
        """Count lanes by state."""
        if event.before is not LaneState.CLAIMED:
            self._lanes.labels(event.before.value).dec()
        if event.after not in {LaneState.RELEASED, LaneState.FAILED}:
            self._lanes.labels(event.after.value).inc()
        self._state_seconds.labels(event.before.value).observe(event.seconds)

    def reached(self, event: Reached) -> None:
        """Count only what a batch comes to."""

    def committed(self, event: CommittedBatch) -> None:
        """Count a committed batch."""
        self._records.labels(event.agent).inc(event.records)
        self._emissions.labels(event.agent).inc(event.emissions)
        self._letters.labels(event.agent).inc(event.dead_letters)
        self._skipped.labels(event.agent).inc(event.skipped)
        self._lost.labels(event.agent).inc(event.lost)
        self._fold.labels(event.agent).observe(event.fold_seconds)
        self._commit.labels(event.agent).observe(event.commit_seconds)
        self._lag.labels(event.agent, str(event.partition)).set(event.detector_lag)
        if event.clock_off is not None:
            self._clock.labels(event.agent, str(event.partition)).set(event.clock_off)
        self._last.labels(event.agent, str(event.partition)).set_to_current_time()

    def aborted(self, event: AbortedBatch) -> None:
        """Count an undone batch."""
        self._aborts.labels(event.agent, event.cause).inc()

    def behind(self, event: Backlog) -> None:
        """Show a partition's backlog."""
        self._backlog.labels(event.agent, str(event.partition)).set(event.records)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
