"""Makes of a simulation what its services would have reported: heartbeats, and timings of the calls made and served."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil
from operator import attrgetter

from snowshed.producers.batching import timing_batches
from snowshed.producers.node import Node
from snowshed.producers.outcome import Outcome
from snowshed.producers.window import Row, Window
from snowshed.schemas.records import Heartbeat, NodeStatus
from snowshed.streams.simulate.events import Event
from snowshed.streams.simulate.queueing.draws import generator, uniforms
from snowshed.streams.simulate.queueing.fleet import Fleet, Link
from snowshed.streams.simulate.queueing.observing import Attempt
from snowshed.streams.simulate.queueing.replication import Replication
from snowshed.streams.simulate.queueing.scenario import Scenario
from snowshed.streams.simulate.queueing.seconds import Second
from snowshed.streams.simulate.queueing.troubles import Deploy, Lossy, Trouble

__all__ = ["telemetry"]

_FIRST_BEAT = 0.1
_SENT_AFTER = 0.02
"""Seconds from a window's end to its report."""
_BOOTED = 100_000.0
_ROUND_TRIP = 0.004


def telemetry(
    scenario: Scenario, seed: int, start: float, keep: Callable[[tuple[Second, ...]], None], beats: int = 2
) -> Iterator[Event]:
    """Run a scenario and report it, in the order of the reports' times.

    Args:
        scenario: what to run.
        seed: of all that is random.
        start: time of the first moment, seconds since the Unix epoch.
        keep: is given each second as well.
        beats: heartbeats a second of each node.
    """
    reports = _Reports(scenario.fleet, scenario.troubles, seed, start)
    others: list[_Beats | Replication] = [
        _Beats(node, index, scenario.troubles, start, beats) for node, index in reports.nodes
    ]
    others += [Replication(each, scenario.troubles, seed, start) for each in scenario.fleet.datasets]
    for number, second in enumerate(scenario.run(seed, reports)):
        keep(second)
        events = [event for each in others for event in each.during(number)]
        yield from sorted([*reports.before(number), *events], key=attrgetter("at"))
    yield from reports.before(scenario.seconds)


class _Reports:
    """Every node's windows; an observer."""

    def __init__(self, fleet: Fleet, troubles: Sequence[Trouble], seed: int, start: float) -> None:
        self._start = start
        self._losses = [each for each in troubles if isinstance(each, Lossy)]
        self._chance = uniforms(generator(seed, "reports"))
        self._lost: dict[tuple[str, int], float] = {}
        outside = {load.caller: 1 for load in fleet.loads}
        self._replicas = {**outside, **{service.name: service.replicas for service in fleet.services}}
        self._windows: dict[int, dict[tuple[str, int], Window]] = {}
        self.nodes = tuple(
            (_node(service, index), index) for service, count in self._replicas.items() for index in range(count)
        )
        """Every node, and which replica of its service it is."""

    def called(self, link: Link, attempt: Attempt, ended: float, outcome: Outcome) -> None:
        """Count an attempt at its caller."""
        share = ceil(attempt.busy / self._replicas[link.caller])
        row = self._row(ended, link.caller, attempt.caller, link, by_callee=False)
        row.count(ended - attempt.sent, outcome, attempt.number, 0.0, share)

    def served(self, link: Link, attempt: Attempt, ended: float, outcome: Outcome) -> None:
        """Count an attempt at its callee."""
        share = ceil(attempt.busy / self._replicas[link.callee])
        row = self._row(ended, link.callee, attempt.replica, link, by_callee=True)
        row.count(ended - attempt.sent, outcome, attempt.number, attempt.waited, share)

    def before(self, second: int) -> Iterator[Event]:
        """The reports of the windows that end where a second begins."""
        for (service, index), window in sorted(self._windows.pop(second - 1, {}).items()):
            at, lost = self._start + second + _SENT_AFTER, self._lost.get((service, index), 0.0)
            for batch in timing_batches(window, _node(service, index), seconds=1.0, sent_at=at, lost=lost):
                if self._loses(service, second):
                    self._lost[service, index] = self._lost.get((service, index), 0.0) + 1.0
                else:
                    yield Event(at, "timings", batch.callee, batch)

    def _loses(self, service: str, second: int) -> bool:
        return any(
            each.service == service
            and each.start <= second < each.start + each.seconds
            # Drawn only where something can be lost, so that other runs stay as they are.
            and next(self._chance) < each.share
            for each in self._losses
        )

    def _row(self, ended: float, service: str, index: int, link: Link, *, by_callee: bool) -> Row:
        second = int(ended)
        windows = self._windows.setdefault(second, {})
        window = windows.get((service, index))
        if window is None:
            window = windows[service, index] = Window(self._start + second, 0.0, rows=100)
        edge = (by_callee, link.caller, link.callee, "call", "")
        return window.row(edge) or window.open_row(edge)[1]


class _Beats:
    """One node's heartbeats: a deployed one takes its leave and comes back as a new process."""

    def __init__(self, node: Node, index: int, troubles: Sequence[Trouble], start: float, beats: int) -> None:
        self._node, self._start, self._beats = node, start, beats
        deploys = [each for each in troubles if isinstance(each, Deploy) and each.service == node.service]
        self._absences = tuple(deploy.absence(index) for deploy in deploys)
        self._seq, self._booted, self._left = 0, -_BOOTED, False

    def during(self, second: int) -> Iterator[Event]:
        """The beats of a second."""
        for at in (second + _FIRST_BEAT + number / self._beats for number in range(self._beats)):
            absent = any(gone <= at < back for gone, back in self._absences)
            if not absent:
                if self._left:
                    self._seq, self._booted, self._left = 0, at, False
                yield self._beat(at, NodeStatus.UP)
            elif not self._left:
                self._left = True
                yield self._beat(at, NodeStatus.LEAVING)

    def _beat(self, at: float, status: NodeStatus) -> Event:
        beat = Heartbeat(
            node=self._node.name,
            service=self._node.service,
            host=self._node.name,
            status=status,
            seq=float(self._seq),
            sent_at=self._start + at,
            monotonic=at - self._booted,
            interval=1.0 / self._beats,
            round_trip=_ROUND_TRIP,
        )
        self._seq += 1
        return Event(self._start + at, "heartbeats", self._node.name, beat)


def _node(service: str, index: int) -> Node:
    return Node(name=f"{service}-{index + 1}", service=service)
