"""Health of the edges into every callee whose timings lie in one partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import EdgeStatus
from snowshed.streams.edges.closing import Closed, close
from snowshed.streams.edges.columns import TimingColumns, TimingReader
from snowshed.streams.edges.groups import grouped
from snowshed.streams.edges.losses import Loss, Reporters, heard, losses, settled
from snowshed.streams.edges.mute import Unreached, counted, heeded, node_reports, unreached
from snowshed.streams.edges.receiving import Due, received
from snowshed.streams.edges.reports import fell_silent, health, observations
from snowshed.streams.edges.state import CalleeState, tabled
from snowshed.streams.edges.table import STATUSES, EdgeTable
from snowshed.streams.edges.tally import reports_by_callee, statement_tallies
from snowshed.streams.folding import Batch, Decoded, Emission, Message, Step
from snowshed.streams.policy import Policy
from snowshed.streams.snapshot import Snapshot
from snowshed.streams.statements import collected, is_due, judged
from snowshed.streams.statements import health as statement_health

__all__ = ["TimingFold"]

_WINDOW = "edge-window/1"
_STATEMENTS = "statements/1"
_SILENT = STATUSES.index(EdgeStatus.SILENT)

_Batch = Batch[TimingColumns]
_T = TypeVar("_T")


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

    def step(self, state: Mapping[str, CalleeState], batch: _Batch) -> Step[CalleeState]:
        """Add the batch to the open windows, then close those that are due."""
        current, due = received(state, batch.records, grouped(batch.records), batch.now, self._limits)
        self._collect(current, batch)
        self._heed(current, batch)
        reporters, lost = self._hear(current, batch)
        reports: dict[str, list[Emission]] = {callee: [] for callee in current}
        emissions = self._close(current, due, batch, reports, reporters) if due.callees else []
        for callee, known in reporters.items():
            current[callee] = replace(current[callee], reporters=known)
        for callee in sorted(current):
            value = current[callee]
            if value.statements is not None:
                value = self._judge_statements(value, batch, reports[callee])
            current[callee] = self._age(value, batch.now, reports[callee])
            emissions += reports[callee]
        changes = {callee: value for callee, value in current.items() if value is not state.get(callee)}
        return Step(
            {callee: value if value.table.caller or value.open else None for callee, value in changes.items()},
            tuple(emissions),
            lost,
        )

    def dump(self, value: CalleeState) -> bytes:
        """A callee's state as JSON."""
        return self._snapshot.dump(value)

    def load(self, raw: bytes) -> CalleeState:
        """A callee's state from JSON."""
        return tabled(self._snapshot.load(raw))

    def _collect(self, current: dict[str, CalleeState], batch: _Batch) -> None:
        for callee, statements in statement_tallies(batch.records).items():
            value = current[callee]
            book = collected(value.statements, statements, batch.now, self._policy.statements)
            current[callee] = replace(value, statements=book)

    def _heed(self, current: dict[str, CalleeState], batch: _Batch) -> None:
        mute = {callee for callee, value in current.items() if value.mute}
        reports = node_reports(batch.records, mute)
        for callee in sorted({*mute, *reports}):
            value = current[callee]
            after = heeded(value.mute, reports.get(callee, ()), batch.now, self._limits.cut_off_calls)
            if after is not value.mute:
                current[callee] = replace(value, mute=after)

    def _hear(self, current: dict[str, CalleeState], batch: _Batch) -> tuple[dict[str, Reporters], float]:
        """Who has reported on what by now, and how many reports are newly known to be lost."""
        found: dict[str, Reporters] = {}
        total = 0.0
        for callee, said in reports_by_callee(batch.records).items():
            value = current.get(callee)
            if value is not None:
                found[callee], lost = heard(value.reporters, said, batch.now, self._limits.forget)
                total += lost
                if lost:
                    current[callee] = replace(value, lost_at=batch.now)
        return found, total

    def _close(
        self,
        current: dict[str, CalleeState],
        due: Due,
        batch: _Batch,
        reports: Mapping[str, list[Emission]],
        reporters: dict[str, Reporters],
    ) -> list[Emission]:
        """Close what is due, and take its reporters out of those given; what level 2 is to be told of it."""
        now, domains = batch.now, {callee: self._policy.domain_of(callee) for callee in due.callees}
        tables = {callee: current[callee].table for callee in due.callees}
        closed = close(due.groups, tables, self._lossy(current, due, now), now, self._limits)
        mute = unreached({callee: current[callee].mute for callee in due.callees})
        missing: list[tuple[str, Loss]] = []
        for callee, table in closed.tables.items():
            value = current[callee]
            known = reporters.pop(callee, value.reporters)
            missing += [(callee, loss) for loss in losses(known, now, self._limits.silent_after)]
            # Written out, because dataclasses.replace takes twice as long and this is done for each callee and window.
            current[callee] = CalleeState(
                callee=callee,
                window_start=now,
                edges=value.edges,
                table=table,
                statements=value.statements,
                reporters=settled(known),
                lost_at=value.lost_at,
                mute=counted(value.mute),
            )
        for callee, emission in health(closed.windows, closed.found, domains, now):
            reports[callee].append(emission)
        return _observed(closed, missing, mute, domains, batch)

    def _lossy(self, current: Mapping[str, CalleeState], due: Due, now: float) -> set[str]:
        """Callees that are due and of which something was missing of late."""
        since = now - self._policy.decisions.lost_over
        return {callee for callee in due.callees if current[callee].lost_at > since}

    def _judge_statements(self, value: CalleeState, batch: _Batch, reports: list[Emission]) -> CalleeState:
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

    def _age(self, value: CalleeState, now: float, reports: list[Emission]) -> CalleeState:
        table = value.table
        if now < min(table.last_seen, default=now) + self._limits.silent_after:
            return value
        kept = [place for place, seen in enumerate(table.last_seen) if now - seen < self._limits.forget]
        table = self._silenced(
            value.callee, table if len(kept) == len(table.caller) else table.kept(kept), now, reports
        )
        return value if table is value.table else replace(value, table=table)

    def _silenced(self, callee: str, table: EdgeTable, now: float, reports: list[Emission]) -> EdgeTable:
        quiet = [
            place
            for place, (seen, status) in enumerate(zip(table.last_seen, table.status, strict=True))
            if now - seen >= self._limits.silent_after and status != _SILENT
        ]
        if not quiet:
            return table
        domain = self._policy.domain_of(callee)
        reports.extend(fell_silent(table.caller[place], callee, domain, now) for place in quiet)
        return replace(
            table,
            status=_with(table.status, quiet, _SILENT),
            since=_with(table.since, quiet, now),
            reported=_with(table.reported, quiet, now),
        )


def _observed(
    closed: Closed,
    missing: Sequence[tuple[str, Loss]],
    mute: Unreached,
    domains: Mapping[str, str],
    batch: _Batch,
) -> list[Emission]:
    places: dict[str, list[int]] = {}
    for window, callee in enumerate(closed.windows.callee):
        places.setdefault(domains[callee], []).append(window)
    return [
        Emission(
            "observations",
            domain,
            observations(
                domain,
                closed.windows,
                closed.found.usual,
                places[domain],
                missing=[one for one in missing if domains[one[0]] == domain],
                mute=mute,
                batch=batch,
            ),
            _WINDOW,
        )
        for domain in sorted(places)
    ]


def _with(values: tuple[_T, ...], places: Sequence[int], value: _T) -> tuple[_T, ...]:
    changed = list(values)
    for place in places:
        changed[place] = value
    return tuple(changed)
