"""Single nodes that do not reach what their siblings reach: generated fleets, cut at random moments, by both levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import inf, nan

import numpy as np
from tests.benchmarks.report import Figure
from tests.unit.streams.cascade.domain_script import START as DOMAIN_START
from tests.unit.streams.cascade.domain_script import Domain, node
from tests.unit.streams.edges.test_timing_fold import START, Partition, observations, report

from snowshed.schemas.records import Incident, IncidentKind, Liveness, Notice, TimingBatch

__all__ = ["CONTROLS", "CUTS", "Trial", "figures", "played"]

_LEARNED, _END, _LOOK = 20.0, 40.0, 0.25
_TIMEOUT = 1.0
_USUAL = 0.005
"""Share of all calls that fails in any case."""
_FLEETS = ((2, 20.0), (3, 50.0), (5, 10.0), (8, 5.0))
"""Nodes of the caller, and calls a second of each to each callee."""
_CALLEES = ("api", "stock", "mail")


@dataclass(frozen=True, slots=True)
class Trial:
    """What is wrong from a random moment on."""

    nodes: int
    rate: float
    trouble: str
    """`one`, `two` or `all` callees are out of reach of one node; `gone`, `half`, `restart` or `rare` are no cuts."""
    seed: int
    refused: bool = False
    """Whether calls fail at once, instead of running into their time-out."""


CUTS = [
    Trial(nodes, rate, trouble, 20_261_125 + seed, refused)
    for (nodes, rate), trouble, refused, seed in product(_FLEETS, ("one", "two", "all"), (False, True), range(5))
]
CONTROLS = [
    Trial(nodes, rate, trouble, 20_261_225 + seed)
    for (nodes, rate), trouble, seed in product(_FLEETS, ("gone", "half", "restart", "rare"), range(5))
]
_OUT_OF_REACH = {"one": _CALLEES[:1], "two": _CALLEES[:2], "all": _CALLEES}


class _Calls:
    """The calls of every node to every callee, as their nodes report them."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._rng = np.random.default_rng([trial.seed, trial.nodes, len(trial.trouble), trial.refused])
        self.begun = _LEARNED + float(self._rng.random())
        self.nodes = [f"web-{number}" for number in range(trial.nodes)]
        self._phases = self._rng.random(trial.nodes).tolist()
        self._ends = [1.0 + phase for phase in self._phases]

    def due(self, now: float) -> Iterator[TimingBatch]:
        """The reports that have come since the last look; a window is a second, and on its way for up to 50 ms."""
        for place, name in enumerate(self.nodes):
            end = self._ends[place]
            if end + 0.05 * self._phases[place] > now:
                continue
            self._ends[place] += 1.0
            for callee in _CALLEES:
                if (one := self._report(name, callee, end - 1.0, end)) is not None:
                    yield one

    def _report(self, name: str, callee: str, start: float, end: float) -> TimingBatch | None:
        failing, rate = self._failing(name, callee), self._trial.rate
        if self._trial.trouble == "rare" and name == self.nodes[0]:
            rate /= 20.0
        if self._trial.trouble == "restart" and name == self.nodes[0] and self.begun <= start < self.begun + 4.0:
            return None
        before = max(min(end, self.begun) - start, 0.0)
        late = 0.0 if self._trial.refused else _TIMEOUT
        after = max(end - late - max(start - late, self.begun), 0.0) if failing else 0.0
        well = int(self._rng.poisson(rate * (before + (1.0 - failing) * (end - start - before))))
        failed = int(self._rng.poisson(rate * failing * after))
        usual = int(self._rng.binomial(well, _USUAL))
        if not well + failed:
            return None
        made = report(callee=callee, reporter=name, first=float(well + failed), ok=float(well - usual))
        refused = usual + (failed if self._trial.refused else 0)
        return replace(
            made,
            window_start=START + start,
            sent_at=START + end,
            timeout=(float(failed + usual - refused),),
            error_local=(float(refused),),
        )

    def _failing(self, name: str, callee: str) -> float:
        """The share of the node's calls to a callee that fails from the moment on."""
        match self._trial.trouble:
            case "gone":
                return 1.0 if callee == "api" else 0.0
            case "half":
                return 0.5 if callee == "api" else 0.0
            case "restart" | "rare":
                return 0.0
            case trouble:
                return 1.0 if name == self.nodes[0] and callee in _OUT_OF_REACH[trouble] else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial."""

    node: str
    """Who was cut off."""
    alone: list[tuple[float, Incident]]
    """The incidents that stand alone at the end, with the seconds from the cut at which each was opened."""
    told: int
    """Incidents on anything else that people were told of."""

    @property
    def delay(self) -> float:
        """Seconds from the cut until the node was named; infinite if it never was."""
        return min((at for at, one in self.alone if self.names(one)), default=inf)

    def names(self, incident: Incident) -> bool:
        """Whether an incident says that the node is cut off."""
        return incident.kind is IncidentKind.PARTITION and incident.subject == self.node


def played(trial: Trial) -> Outcome:
    """Both levels over the reports of one trial."""
    calls, edges, domain = _Calls(trial), Partition(), Domain()
    living = [*((name, "web") for name in calls.nodes), *((f"{callee}-0", callee) for callee in _CALLEES)]
    for look in range(1, int(_END / _LOOK)):
        at = look * _LOOK
        beats = [node(at, Liveness.ALIVE, name=name, service=of) for name, of in living] if at % 5.0 == 0.0 else []
        domain.step(at, *beats, *observations(edges.step(START + at, calls.due(at))))
    newest = {one.incident_id: one for _, one in domain.all(Incident)}
    alone = [(one.opened_at - DOMAIN_START - calls.begun, one) for one in newest.values() if not one.part_of]
    about = {one.incident_id: one.subject for one in newest.values()}
    told = {one.incident_id for _, one in domain.all(Notice) if about[one.incident_id] != calls.nodes[0]}
    return Outcome(calls.nodes[0], alone, len(told))


def figures(*, quick: bool = False) -> Iterator[Figure]:
    """How many are named, how soon, who else is, and how often a node is where none is cut off."""
    cuts, controls = (CUTS[::40], CONTROLS[::40]) if quick else (CUTS, CONTROLS)
    waits: list[float] = []
    wrong = told = accused = 0
    for trial in cuts:
        found = played(trial)
        wrong += sum(not found.names(one) for _, one in found.alone)
        told += found.told
        if found.delay < inf:
            waits.append(found.delay)
        else:
            print(f"not found: {trial}: {[(one.kind.value, one.subject) for _, one in found.alone]}")
    for trial in controls:
        nodes = [one.subject for _, one in played(trial).alone if one.subject.startswith("web-")]
        accused += len(nodes)
        if nodes:
            print(f"accused: {trial}: {nodes}")
    named = "single nodes cut off"
    yield Figure.of(f"{named}: found with kind and subject", f"of {len(cuts)}", [float(len(waits))], f"{len(cuts)}")
    yield Figure.of(f"{named}: from the cut", "s", waits or [nan], "≤ 5")
    yield Figure.of(f"{named}: wrong accusations", "incidents", [float(wrong)], "0")
    yield Figure.of(f"{named}: others that people were told of first", "incidents", [float(told)], "0")
    yield Figure.of(f"{named}: nodes accused in {len(controls)} runs without a cut", "nodes", [float(accused)], "0")
