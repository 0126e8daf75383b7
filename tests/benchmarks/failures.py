"""How fast and how surely failures are found: crashes, a day of ordinary trouble, gray failures and cuts."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf, log, nan

from tests.benchmarks import shapes, single_nodes
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage
from tests.unit.streams.cascade.domain_script import START as DOMAIN_START
from tests.unit.streams.cascade.domain_script import Domain, edges, node
from tests.unit.streams.health.test_heartbeat_fold import START, Partition

from snowshed.schemas.records import Heartbeat, Incident, IncidentKind, IncidentStatus, Liveness, NodeHealth
from snowshed.streams.policy import Policy

__all__ = ["run"]

_TICK = 0.25
"""Seconds between two looks of the detector; a worker's default."""
_SEED = 20_261_125


def run(stage: Stage) -> Section:
    """Crashes at random moments, a day without any, and the named cases."""
    runs = stage.often(100, 4)
    figures = [
        *_crashes(1.0, runs, "median ≤ 3, p99 ≤ 5"),
        *_crashes(0.5, runs, ""),
        *_confirmed(runs),
        *_day(hours=24.0 if not stage.quick else 0.05, nodes=50 if not stage.quick else 8),
        *_cases(),
        *single_nodes.figures(quick=stage.quick),
        *shapes.figures(quick=stage.quick),
    ]
    return Section(
        "failures",
        f"Pure folds with simulated time; a look every {_TICK} s, beats with ±10 ms of jitter, seeds from {_SEED} on. "
        f"Crashes: {runs} kills each at a random moment among 8 nodes. The day: 50 nodes that beat once a second, 5 % "
        "of the beats 1 to 3 s late, pauses of 0.2 to 2 s a node and ten minutes, all nodes restarted one after "
        "another every six hours. Cases: 5 services that call each other 100 times a second, windows of 1 s. Single "
        "nodes: one of 2, 3, 5 or 8, of 20, 50, 10 or 5 calls a second to each of three callees, cannot reach one, two "
        "or all of them, by time-outs of 1 s or refusals, 5 seeds each; without a cut: a callee that is gone or fails "
        "half of the calls, a node that restarts or seldom calls. Other shapes: four fleets in the queueing simulator, "
        "each with an edge cut, one that loses its answers, a service cut off, a replica that fails half of its "
        "requests, one that works at 0.08 of its speed, and a service left "
        "with 0.15 of its capacity.",
        tuple(figures),
    )


def _crashes(interval: float, runs: int, goal: str) -> Iterator[Figure]:
    suspected: list[float] = []
    dead: list[float] = []
    fixed: list[float] = []
    for number in range(runs):
        first, second, last = _crash(interval, random.Random(_SEED + number))
        suspected.append(first)
        dead.append(second)
        fixed.append(last)
    name = f"crash, beats every {interval} s, nobody calls"
    yield Figure.of(f"{name}: suspected", "s", suspected)
    yield Figure.of(f"{name}: convicted", "s", dead, goal)
    yield Figure.of(f"{name}: convicted, 99th percentile", "s", [sorted(dead)[int(0.99 * (runs - 1))]])
    yield Figure.of(f"{name}: exponential phi 8 would convict, by its formula", "s", [8.0 * log(10.0) * interval])
    yield Figure.of(f"{name}: three missed beats would convict", "s", fixed)


def _crash(interval: float, rng: random.Random) -> tuple[float, float, float]:
    """Seconds from a kill to suspicion and to conviction, and until three beats had been missed."""
    partition = Partition(Policy())
    killed = START + 60 * interval + rng.uniform(0.0, interval)
    victim, last, now = "n0", 0.0, START
    due = [(START + rng.uniform(0.0, interval), f"n{number}", 1) for number in range(8)]
    heapq.heapify(due)
    found: dict[str, float] = {}
    while Liveness.DEAD.value not in found:
        now += _TICK
        beats: list[tuple[float, Heartbeat]] = []
        while due[0][0] <= now:
            at, name, seq = heapq.heappop(due)
            if name != victim or at < killed:
                beats.append((at + rng.uniform(0.0, 0.01), _beat(name, seq, at, interval)))
                last = at if name == victim else last
                heapq.heappush(due, (at + interval + rng.uniform(-0.01, 0.01), name, seq + 1))
        for name, status in partition.statuses(partition.step(now, beats)):
            if name == victim and now >= killed:
                found.setdefault(status, now - killed)
    missed = last + 3 * interval - killed
    return found[Liveness.SUSPECT.value], found[Liveness.DEAD.value], missed


def _beat(name: str, seq: int, at: float, interval: float) -> Heartbeat:
    return Heartbeat(
        node=name,
        service="api",
        host=name,
        seq=float(seq),
        sent_at=at,
        monotonic=at - START,
        interval=interval,
    )


def _confirmed(runs: int) -> Iterator[Figure]:
    """From the kill until level 2 opens the incident, where two callers see their calls fail."""
    waits: list[float] = []
    for number in range(runs):
        rng = random.Random(_SEED + number)
        first, _, _ = _crash(1.0, rng)
        domain = Domain()
        at = 0.0
        opened = nan
        suspected = False
        while opened != opened:  # noqa: PLR0124 not yet a number
            at += _TICK
            records: list[object] = []
            if not suspected and at >= first:
                suspected = True
                records.append(node(at, Liveness.SUSPECT, since=at))
            if at % 1.0 == 0.0:
                bad = {"ok": 60.0, "timeout": 40.0}
                records.append(edges(at, {"caller": "web", **bad}, {"caller": "mobile", **bad}))
            for emission in domain.step(at, *records):  # type: ignore[arg-type]
                record = emission.record
                if isinstance(record, Incident) and record.kind is IncidentKind.NODE_FAILED:
                    opened = at
        waits.append(opened)
    yield Figure.of("crash, beats every 1.0 s, two callers confirm: incident", "s", waits, "median ≤ 3, p99 ≤ 5")


def _day(hours: float, nodes: int) -> Iterator[Figure]:
    """Ordinary trouble without a single death."""
    rng = random.Random(_SEED)
    partition = Partition(Policy())
    convicted = suspected = beats_sent = 0
    naive = 0
    heard: dict[str, float] = {}
    paused: dict[str, float] = {}
    restarted: dict[str, int] = {}
    arriving: list[tuple[float, int, Heartbeat]] = []
    due = [(START + rng.random(), f"n{number}", 1) for number in range(nodes)]
    heapq.heapify(due)
    now, end = START, START + hours * 3600.0
    while now < end:
        now += 0.5
        while due[0][0] <= now:
            at, name, seq = heapq.heappop(due)
            turn = int((at - START) // 21_600.0)
            restarts = (at - START) % 21_600.0 >= 20.0 * int(name[1:]) and restarted.get(name) != turn
            if rng.random() < 1.0 / 600.0:
                paused[name] = at + rng.uniform(0.2, 2.0)
            sent = max(at, paused.get(name, -inf))
            if restarts:
                restarted[name] = turn
                sent = max(sent, at + 2.0)  # it takes two seconds, and the sequence begins anew
                seq = 1
            late = rng.choice((1.0, 2.0, 3.0)) if rng.random() < 0.05 else 0.0
            heapq.heappush(arriving, (sent + late + rng.uniform(0.0, 0.01), beats_sent, _beat(name, seq, sent, 1.0)))
            beats_sent += 1
            heapq.heappush(due, (sent + 1.0 + rng.uniform(-0.01, 0.01), name, seq + 1))
        beats: list[tuple[float, Heartbeat]] = []
        while arriving and arriving[0][0] <= now:
            appended, _, one = heapq.heappop(arriving)
            naive += appended - heard.get(one.node, appended) > 3.0
            heard[one.node] = max(appended, heard.get(one.node, appended))
            beats.append((appended, one))
        for emission in partition.step(now, beats):
            if isinstance(emission.record, NodeHealth) and emission.topic == "health":
                convicted += emission.rule.startswith("node-dead")
                suspected += emission.rule.startswith("node-suspect")
    yield Figure.of(f"{hours:g} h of ordinary trouble: convictions", "nodes", [float(convicted)], "0")
    yield Figure.of(f"{hours:g} h of ordinary trouble: suspicions", "nodes", [float(suspected)], f"≤ {nodes}")
    yield Figure.of(f"{hours:g} h of ordinary trouble: three missed beats would convict", "nodes", [float(naive)])


@dataclass(frozen=True, slots=True)
class _Named:
    """A case: what is wrong on which calls, and what it should be called."""

    kind: IncidentKind
    subject: str
    bad: Mapping[tuple[str, str], Mapping[str, object]]


_ALL = "abcde"
_CUT: Mapping[str, object] = {"ok": 0.0, "timeout": 100.0}


def _to(callee: str, **wrong: object) -> dict[tuple[str, str], Mapping[str, object]]:
    return {(caller, callee): wrong for caller in _ALL if caller != callee}


def _some(callers: str, callee: str, **wrong: object) -> dict[tuple[str, str], Mapping[str, object]]:
    return {(caller, callee): wrong for caller in callers}


_GRAY, _PARTITION = IncidentKind.GRAY_FAILURE, IncidentKind.PARTITION
_CASES: Mapping[str, _Named] = {
    "errors of its own, all callers": _Named(_GRAY, "a", _to("a", ok=70.0, error_local=30.0)),
    "errors of its own, two callers": _Named(_GRAY, "a", _some("bc", "a", ok=70.0, error_local=30.0)),
    "one method in ten fails": _Named(_GRAY, "b", _to("b", ok=90.0, error_local=10.0)),
    "one replica of three hangs": _Named(_GRAY, "b", _to("b", ok=67.0, timeout=33.0, p99=3.0)),
    "disk stalls, half of the calls time out": _Named(_GRAY, "c", _to("c", ok=50.0, timeout=50.0, p90=3.0)),
    "pool is empty, most calls time out": _Named(_GRAY, "c", _to("c", ok=15.0, timeout=85.0, p90=3.0)),
    "answers nobody": _Named(_GRAY, "d", _to("d", **_CUT)),
    "slow and failing": _Named(_GRAY, "d", _to("d", ok=75.0, timeout=25.0, p90=1.0)),
    "errors begin small": _Named(_GRAY, "e", _to("e", ok=94.0, error_local=6.0)),
    "partial, both directions": _Named(_PARTITION, "a|b", {("a", "b"): _CUT, ("b", "a"): _CUT}),
    "partial, another pair": _Named(_PARTITION, "c|e", {("c", "e"): _CUT, ("e", "c"): _CUT}),
    "one-way": _Named(_PARTITION, "a>b", {("a", "b"): _CUT}),
    "one-way, back": _Named(_PARTITION, "e>a", {("e", "a"): _CUT}),
    "complete, two and three": _Named(
        _PARTITION,
        "a|c",
        {(one, other): _CUT for one in _ALL for other in _ALL if one != other and (one in "ab") != (other in "ab")},
    ),
    "complete, by errors": _Named(
        _PARTITION,
        "d|a",
        {
            (one, other): {"ok": 0.0, "error_local": 100.0}
            for one in _ALL
            for other in _ALL
            if one != other and (one in "de") != (other in "de")
        },
    ),
}


def _cases() -> Iterator[Figure]:
    waits: list[float] = []
    wrong = 0
    for name, case in _CASES.items():
        opened = _played(case)
        hits = [at for at, incident in opened if incident.kind is case.kind and incident.subject == case.subject]
        wrong += sum(not _fits(incident, case) for _, incident in opened)
        if hits:
            waits.append(hits[0])
        else:
            print(f"not found: {name}: {[(one.kind.value, one.subject) for _, one in opened]}")
    found = f"of {len(_CASES)}"
    yield Figure.of("gray failures and partitions: found with kind and subject", found, [float(len(waits))], "15")
    yield Figure.of("gray failures and partitions: from the first bad call", "s", waits or [nan], "≤ 5")
    yield Figure.of("gray failures and partitions: wrong accusations", "incidents", [float(wrong)], "0")


def _fits(incident: Incident, case: _Named) -> bool:
    """Whether an incident is the case's, a part of another one, or about something the case did break."""
    return bool(incident.part_of) or (incident.kind is case.kind and incident.subject == case.subject)


def _played(case: _Named) -> list[tuple[float, Incident]]:
    """The incidents that stood alone, with the seconds after the first bad call at which each was opened."""
    domain = Domain()
    for at in range(20):
        bad: Mapping[tuple[str, str], Mapping[str, object]] = case.bad if at >= 10 else {}
        rows = [
            {"caller": one, "callee": other, **bad.get((one, other), {})}
            for one in _ALL
            for other in _ALL
            if one != other
        ]
        beats = [node(at, Liveness.ALIVE, name=f"n-{name}", service=name) for name in _ALL]
        domain.step(at, *beats, edges(at, *rows))
    newest = {one.incident_id: one for _, one in domain.all(Incident) if one.status is IncidentStatus.OPEN}
    # The first bad window ends at second 10, so that its first call was a second before.
    return [(one.opened_at - DOMAIN_START - 9.0, one) for one in newest.values() if not one.part_of]
