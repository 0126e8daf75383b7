"""Health of the edges into every callee whose timings lie in one partition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from math import nan

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import EdgeHealth, EdgeObservations, EdgeStatus, Vantage
from snowshed.streams.edges.baseline import Baseline, usual
from snowshed.streams.edges.columns import TimingColumns, TimingReader
from snowshed.streams.edges.state import CalleeState, EdgeState, opened
from snowshed.streams.edges.tally import Tally, statement_tallies, tallies
from snowshed.streams.edges.window import EdgeWindow, closed, status_of, taught
from snowshed.streams.folding import Batch, Decoded, Emission, Message, Step
from snowshed.streams.policy import Policy
from snowshed.streams.snapshot import Snapshot
from snowshed.streams.statements import collected, is_due, judged
from snowshed.streams.statements import health as statement_health

__all__ = ["TimingFold"]

_RULES = {status: f"edge-{status.value}/1" for status in EdgeStatus}
_REFRESH = "edge-refresh/1"
_WINDOW = "edge-window/1"
_STATEMENTS = "statements/1"
_COLUMNS = [item.name for item in fields(EdgeWindow) if item.name not in {"caller", "callee"}]

_Closed = list[tuple[EdgeWindow, Baseline]]


class TimingFold:
    """Turns call timings into one observation an edge and window; the state key is the callee.

    The windows of a callee follow each other without a gap: one closes when `window` seconds have passed since the last
    and something came in, or `urgent_window` seconds once a reporter flushed because of an anomaly.
    """

    def __init__(self, policy: Policy, codec: Codec | None = None) -> None:
        self._policy = policy
        self._limits = policy.edges
        self._reader = TimingReader(codec or Codec())
        self._snapshot = Snapshot(CalleeState)

    @property
    def agent(self) -> str:
        """Name of the agent that runs this fold."""
        return "timings"

    def decode(self, messages: Sequence[Message]) -> Decoded[TimingColumns]:
        """Timing batches by column."""
        return self._reader.read(messages)

    def step(self, state: Mapping[str, CalleeState], batch: Batch[TimingColumns]) -> Step[CalleeState]:
        """Add the batch to the open windows, then close those that are due."""
        current = {**state, **self._receive(state, batch)}
        observed: dict[str, _Closed] = {}
        reports: list[Emission] = []
        for callee in sorted(current):
            value = current[callee]
            if self._due(value, batch.now):
                value, windows = self._close(value, batch.now)
                observed.setdefault(self._policy.domain_of(callee), []).extend(windows)
                value = self._report(value, windows, batch.now, reports)
            if value.statements is not None:
                value = self._judge_statements(value, batch, reports)
            current[callee] = self._age(value, batch.now, reports)
        emissions = [
            Emission("observations", domain, _observations(domain, observed[domain], batch), _WINDOW)
            for domain in sorted(observed)
        ]
        changes = {callee: value for callee, value in current.items() if value is not state.get(callee)}
        return Step(
            {callee: value if value.edges or value.open else None for callee, value in changes.items()},
            (*emissions, *reports),
        )

    def dump(self, value: CalleeState) -> bytes:
        """A callee's state as JSON."""
        return self._snapshot.dump(value)

    def load(self, raw: bytes) -> CalleeState:
        """A callee's state from JSON."""
        return self._snapshot.load(raw)

    def _receive(self, state: Mapping[str, CalleeState], batch: Batch[TimingColumns]) -> dict[str, CalleeState]:
        columns = batch.records
        urgent = {callee for callee, flag in zip(columns.callees, columns.urgent, strict=True) if flag}
        received: dict[str, CalleeState] = {}
        for callee, found in tallies(columns).items():
            known = state.get(callee) or CalleeState(callee=callee, window_start=batch.now)
            received[callee] = opened(known, found, urgent=callee in urgent)
        for callee, statements in statement_tallies(columns).items():
            book = collected(received[callee].statements, statements, batch.now, self._policy.statements)
            received[callee] = replace(received[callee], statements=book)
        return received

    def _judge_statements(
        self, value: CalleeState, batch: Batch[TimingColumns], reports: list[Emission]
    ) -> CalleeState:
        book, limits = value.statements, self._policy.statements
        if book is None or not is_due(book, batch.now, limits):
            return value
        book, window = judged(book, batch.now, value.calm, limits)
        record = statement_health(
            domain=self._policy.domain_of(value.callee),
            callee=value.callee,
            book=book,
            window=window,
            now=batch.now,
            detector_lag=batch.detector_lag,
        )
        reports.append(Emission("health", f"statements/{value.callee}", record, _STATEMENTS))
        return replace(value, statements=book)

    def _due(self, value: CalleeState, now: float) -> bool:
        length = self._limits.urgent_window if value.urgent else self._limits.window
        return bool(value.open) and now >= value.window_start + length

    def _close(self, value: CalleeState, now: float) -> tuple[CalleeState, _Closed]:
        views: dict[str, dict[Vantage, Tally]] = {}
        for tally in value.open:
            views.setdefault(tally.caller, {})[tally.vantage] = tally
        known = {edge.caller: edge for edge in value.edges}
        windows: _Closed = []
        for caller, ends in views.items():
            window = closed(value.callee, ends)
            edge = known.get(caller) or EdgeState(caller=caller, since=now, last_seen=now)
            windows.append((window, usual(edge.baseline, self._limits)))
            known[caller] = self._judged(edge, window, now)
        edges = tuple(known[caller] for caller in sorted(known))
        return replace(value, window_start=now, urgent=False, open=(), edges=edges), windows

    def _judged(self, edge: EdgeState, window: EdgeWindow, now: float) -> EdgeState:
        status = status_of(window, edge.baseline, self._limits)
        sound = status is EdgeStatus.OK
        return replace(
            edge,
            baseline=taught(edge.baseline, window, self._limits) if sound else edge.baseline,
            status=status,
            since=edge.since if status is edge.status else now,
            last_seen=now,
        )

    def _report(self, value: CalleeState, windows: _Closed, now: float, reports: list[Emission]) -> CalleeState:
        edges = {edge.caller: edge for edge in value.edges}
        for window, _ in windows:
            edge = edges[window.caller]
            changed = edge.since == now
            if changed or now >= edge.reported + self._limits.health_refresh:
                record = self._health(edge, value.callee, now, window)
                reports.append(_emission(record, _RULES[edge.status] if changed else _REFRESH))
                edges[window.caller] = replace(edge, reported=now)
        return replace(value, edges=tuple(edges.values()))

    def _age(self, value: CalleeState, now: float, reports: list[Emission]) -> CalleeState:
        if all(now < edge.last_seen + self._limits.silent_after for edge in value.edges):
            return value
        edges = tuple(self._aged(value.callee, now, value.edges, reports))
        return value if edges == value.edges else replace(value, edges=edges)

    def _aged(
        self, callee: str, now: float, edges: Sequence[EdgeState], reports: list[Emission]
    ) -> Iterator[EdgeState]:
        for edge in edges:
            quiet = now - edge.last_seen
            if quiet >= self._limits.forget:
                continue
            if quiet >= self._limits.silent_after and edge.status is not EdgeStatus.SILENT:
                silent = replace(edge, status=EdgeStatus.SILENT, since=now, reported=now)
                reports.append(_emission(self._health(silent, callee, now, None), _RULES[EdgeStatus.SILENT]))
                yield silent
            else:
                yield edge

    def _health(self, edge: EdgeState, callee: str, now: float, window: EdgeWindow | None) -> EdgeHealth:
        seen = window if window and window.attempts else None
        failed = seen.error_local + seen.error_downstream + seen.timeout if seen else 0.0
        return EdgeHealth(
            domain=self._policy.domain_of(callee),
            caller=edge.caller,
            callee=callee,
            status=edge.status,
            since=edge.since,
            observed_at=now,
            rate=seen.attempts / seen.span if seen else 0.0,
            error_ratio=failed / seen.attempts if seen else nan,
            rejected_ratio=seen.rejected / seen.attempts if seen else nan,
            amplification=seen.amplification if seen else nan,
            p50=seen.p50 if seen else nan,
            p90=seen.p90 if seen else nan,
            p99=seen.p99 if seen else nan,
        )


def _emission(record: EdgeHealth, rule: str) -> Emission:
    return Emission("health", f"{record.caller}>{record.callee}", record, rule)


def _observations(domain: str, windows: _Closed, batch: Batch[TimingColumns]) -> EdgeObservations:
    names = [name for window, _ in windows for name in (window.caller, window.callee)]
    strings = tuple(dict.fromkeys(names))
    index = {name: float(position) for position, name in enumerate(strings)}
    columns = {name: tuple([getattr(window, name) for window, _ in windows]) for name in _COLUMNS}
    return EdgeObservations(
        domain=domain,
        partition=batch.partition,
        observed_at=batch.now,
        detector_lag=batch.detector_lag,
        strings=strings,
        caller=tuple(index[window.caller] for window, _ in windows),
        callee=tuple(index[window.callee] for window, _ in windows),
        base_first_rate=tuple(normal.first_rate for _, normal in windows),
        base_ok_ratio=tuple(normal.ok_ratio for _, normal in windows),
        base_p90=tuple(normal.p90 for _, normal in windows),
        **columns,
    )
