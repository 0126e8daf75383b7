"""Counts and times the calls a process makes and serves, and reports them a window at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from threading import RLock
from types import TracebackType
from typing import Self

from snowshed.producers._background import Background
from snowshed.producers.batching import timing_batches
from snowshed.producers.inbound import dependency_failed
from snowshed.producers.node import Node
from snowshed.producers.outcome import Outcome, outcome_of
from snowshed.producers.transport import Outlet
from snowshed.producers.window import Edge, Gauge, Row, Slow, Window
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.forking import survive_fork
from snowshed.schemas.propagation import call_context
from snowshed.schemas.records import Vantage

__all__ = ["Call", "TimingRecorder"]

_OK = Outcome.OK
_CALLEE = Vantage.CALLEE
_URGENT_SPACING = 0.25
_LONGEST_EVIDENCE = 500


class TimingRecorder:
    """Counts calls by caller, callee, operation and statement, and sends the counts once per window.

    A window with a fifth of at least ten calls to a callee failed, or three tenths of them retries, is reported at
    once, though no two reports come closer than 0.25 s. Memory is bounded: what finds `rows` rows taken is counted
    under operation "other".

    Args:
        node: who reports; its service is the caller of calls made and the callee of calls served.
        transport: where reports go.
        window: seconds between reports.
        rows: distinct rows held in one window.
        slow_threshold: seconds from which a call may be kept as one of a callee's three slow samples.
        clock: monotonic seconds.
    """

    _urgent: bool
    _window: Window

    def __init__(
        self,
        node: Node,
        transport: Outlet,
        *,
        window: float = 1.0,
        rows: int = 2_000,
        slow_threshold: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not window > 0:
            raise ConfigurationError(f"recorder window {window!r} is not a positive number of seconds")
        self._node = node
        self._service = node.service
        self._transport = transport
        self._seconds = window
        self._limit = rows
        self._slow_threshold = slow_threshold
        self._clock = clock
        self._background = Background("snowshed-recorder", self.tick)
        self.folded = 0
        """Calls counted under operation "other" because there were too many rows."""
        self._reset()
        survive_fork(self)

    @property
    def service(self) -> str:
        """The service that reports."""
        return self._service

    def observe(
        self,
        callee: str,
        operation: str,
        seconds: float,
        *,
        outcome: Outcome = Outcome.OK,
        attempt: int = 0,
        caller: str | None = None,
        statement: str = "",
        queue_delay: float = 0.0,
        in_flight: int = 0,
        evidence: str = "",
        vantage: Vantage = Vantage.CALLER,
    ) -> None:
        """Count one call that has ended; never blocks and never raises for a strange number.

        Args:
            callee: service or database called.
            operation: what was asked of it; few distinct values, so a route, not a path.
            seconds: how long it took.
            outcome: how it ended.
            attempt: 0 for original demand, more for retries.
            caller: who called; this service unless given.
            statement: fingerprint of a database statement.
            queue_delay: seconds it waited before it was worked on.
            in_flight: calls under way at the time, this one included.
            evidence: what identifies this call to an operator; never parameter values.
            vantage: the end of the edge that measured.
        """
        if not 0.0 <= seconds < inf:
            return
        by_callee = vantage is _CALLEE
        edge = (by_callee, self._service if caller is None else caller, callee, operation, statement)
        with self._lock:
            row = self._window.row(edge)
            if row is None:
                edge, row = self._open_row(edge)
            row.count(seconds, outcome, attempt, queue_delay, in_flight)
            if seconds >= self._slow_threshold:
                started_at = time.time() - seconds
                row.group.keep(Slow(seconds, started_at, edge, outcome, attempt, evidence[:_LONGEST_EVIDENCE]))
            if outcome is _OK and not attempt:
                return
            hurry = row.group.turns_anomalous()
            self._urgent = self._urgent or hurry
        if hurry:
            self._background.wake()
        if outcome is not _OK and not by_callee:
            dependency_failed()

    def hit(self, callee: str, operation: str = "", *, caller: str | None = None, count: int = 1) -> None:
        """Count requests that a cache answered in the place of `callee`; from then on, none is reported as none."""
        edge = (False, self._service if caller is None else caller, callee, operation, "")
        with self._lock:
            if len(self._cached) < self._limit:
                self._cached.add(callee)
            row = self._window.row(edge) or self._open_row(edge)[1]
            row.hits += count

    def call(
        self,
        callee: str,
        operation: str,
        *,
        caller: str | None = None,
        statement: str = "",
        queue_delay: float = 0.0,
        attempt: int | None = None,
        evidence: str = "",
        vantage: Vantage = Vantage.CALLER,
    ) -> Call:
        """Time a call by `with` or `async with`; arguments as for `observe`, the attempt from the current context.

        An exception decides the outcome and is passed on. A call that ends past the context's deadline timed out.
        """
        edge = (vantage is _CALLEE, self._service if caller is None else caller, callee, operation, statement)
        return Call(self, edge, queue_delay, call_context().attempt if attempt is None else attempt, evidence)

    def enter(self, edge: Edge) -> Gauge:
        """Count a call as under way until its gauge is given to `leave`."""
        with self._lock:
            gauge = self._gauges.get(edge)
            if gauge is None:
                gauge = Gauge()
                if len(self._gauges) < self._limit:
                    self._gauges[edge] = gauge
                    self._background.start()
            gauge.now += 1
            gauge.peak = max(gauge.peak, gauge.now)
            return gauge

    def leave(self, gauge: Gauge) -> None:
        """Count a call as under way no longer."""
        with self._lock:
            gauge.now -= 1

    def flush(self) -> None:
        """Report what has been counted so far."""
        with self._lock:
            window, following = self._window, self._new_window()
            self._window, self._urgent, cached = following, False, frozenset(self._cached)
            self._note_in_flight(window)
        seconds, at, lost = following.opened - window.opened, following.opened_at, float(self._transport.stats().lost)
        for batch in timing_batches(window, self._node, seconds=seconds, sent_at=at, lost=lost, cached=cached):
            self._transport.send("timings", batch.callee, batch)

    def stop(self) -> None:
        """Report what has been counted and end the thread; later calls start it again."""
        self._background.stop(self._seconds)
        self.flush()

    def after_fork(self) -> None:
        """Start from nothing in a forked child: what has been counted is the parent's to report."""
        self._node = self._node.in_child()
        self._reset()

    def _reset(self) -> None:
        self._lock = RLock()
        self._urgent = False
        self._gauges: dict[Edge, Gauge] = {}
        self._cached: set[str] = set()
        self._window = self._new_window()

    def _new_window(self) -> Window:
        return Window(time.time(), self._clock(), self._limit)

    def _open_row(self, edge: Edge) -> tuple[Edge, Row]:
        self._background.start()
        opened, row = self._window.open_row(edge)
        self.folded += opened != edge
        return opened, row

    def _note_in_flight(self, window: Window) -> None:
        """Report calls that have not ended too: a callee that hangs completes nothing."""
        for edge, gauge in list(self._gauges.items()):
            _, row = window.open_row(edge)
            row.in_flight_max = max(row.in_flight_max, gauge.peak)
            gauge.peak = gauge.now
            if not gauge.now:
                del self._gauges[edge]

    def tick(self) -> float:
        """Report if it is time; returns seconds until it is. The thread calls this."""
        now = self._clock()
        due = self._window.opened + (min(_URGENT_SPACING, self._seconds) if self._urgent else self._seconds)
        if now < due:
            return due - now
        self.flush()
        return self._seconds


class Call:
    """One call being timed; `outcome`, `queue_delay` and `evidence` may be set until it ends.

    Without an `outcome` the exception decides, or its absence.
    """

    __slots__ = ("_attempt", "_edge", "_ended", "_gauge", "_recorder", "_started", "evidence", "outcome", "queue_delay")

    def __init__(self, recorder: TimingRecorder, edge: Edge, queue_delay: float, attempt: int, evidence: str) -> None:
        self._recorder = recorder
        self._edge = edge
        self._attempt = attempt
        self._started = 0.0
        self._gauge = Gauge()
        self._ended = False
        self.evidence = evidence
        self.queue_delay = queue_delay
        self.outcome: Outcome | None = None

    def begin(self) -> Self:
        """Start the clock, where the call does not fit into one `with` block."""
        self._gauge = self._recorder.enter(self._edge)
        self._started = time.monotonic()
        return self

    def end(self, error: BaseException | None = None) -> None:
        """Stop the clock and count the call; further calls do nothing."""
        if self._ended:
            return
        self._ended = True
        now = time.monotonic()
        under_way = self._gauge.now
        self._recorder.leave(self._gauge)
        by_callee, caller, callee, operation, statement = self._edge
        self._recorder.observe(
            callee,
            operation,
            now - self._started,
            outcome=self._judge(error, now),
            attempt=self._attempt,
            caller=caller,
            statement=statement,
            queue_delay=self.queue_delay,
            in_flight=under_way,
            evidence=self.evidence,
            vantage=_CALLEE if by_callee else Vantage.CALLER,
        )

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(error)

    async def __aenter__(self) -> Self:
        return self.begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(error)

    def _judge(self, error: BaseException | None, now: float) -> Outcome:
        outcome = outcome_of(error) if self.outcome is None else self.outcome
        deadline = call_context().deadline
        return Outcome.TIMEOUT if outcome is _OK and deadline is not None and now > deadline else outcome
