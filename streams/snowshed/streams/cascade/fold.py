"""The judgement of level 2: what is wrong in a domain, who suffers, and what is decided about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from snowshed.schemas.codec import Codec
from snowshed.schemas.identity import decision_id
from snowshed.schemas.records import Incident
from snowshed.streams.cascade.board import Board, DomainState, arranged
from snowshed.streams.cascade.cases import Case, closing, joined, linked, notice, opening, updated, worth_telling
from snowshed.streams.cascade.decisions import Held, asked, differs, due, issued, lifted
from snowshed.streams.cascade.findings import Finding
from snowshed.streams.cascade.intake import forgotten, take
from snowshed.streams.cascade.observations import Observation, Place, read
from snowshed.streams.cascade.reports import reported
from snowshed.streams.cascade.rules import RULES, blindness
from snowshed.streams.cascade.rules.overload import situation
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.cascade.throttle import Throttle, steer
from snowshed.streams.cascade.views import EdgeView, LagView, NodeView
from snowshed.streams.folding import Batch, Decoded, Emission, Message, Step
from snowshed.streams.policy import Policy
from snowshed.streams.snapshot import Snapshot
from snowshed.streams.stability.season import Season

__all__ = ["DomainFold"]

_Batch = Batch[tuple[Observation, ...]]


class DomainFold:
    """Turns observations into incidents, decisions and notices.

    State keys: `node/…`, `edge/caller>callee`, `service/…`, `lag/dataset/server`, `season/…`, `throttle/callee`,
    `incident/kind/subject` and `decision/scope|kind`. While the detector is late (`DecisionPolicy.detector_lag`)
    observations are taken in and an incident says so. Nothing else happens: no other incident opens or closes, and
    decisions run out by their ttl.
    """

    def __init__(self, policy: Policy, codec: Codec | None = None) -> None:
        self._policy = policy
        self._codec = codec or Codec()
        self._snapshot: Snapshot[DomainState] = Snapshot(
            NodeView, EdgeView, LagView, Standing, Season, Throttle, Case, Held
        )

    @property
    def agent(self) -> str:
        """Name of the agent that runs this fold."""
        return "domain"

    def decode(self, messages: Sequence[Message]) -> Decoded[tuple[Observation, ...]]:
        """Observations in log order."""
        return read(messages, self._codec)

    def step(self, state: Mapping[str, DomainState], batch: _Batch) -> Step[DomainState]:
        """Take the observations in, then let every rule judge the whole domain."""
        current = dict(state)
        take(current, batch.records, batch.partition, self._policy)
        for key in [key for key, value in current.items() if forgotten(value, batch.now, self._policy)]:
            del current[key]
        judgement = _Judgement(self._policy, current, batch)
        late = batch.detector_lag > self._policy.decisions.detector_lag
        emissions = judgement.withheld() if late else judgement.passed()
        changes: dict[str, DomainState | None] = {
            key: value for key, value in current.items() if value is not state.get(key)
        }
        changes |= {key: None for key in state if key not in current}
        return Step(changes, emissions)

    def dump(self, value: DomainState) -> bytes:
        """A state value as JSON."""
        return self._snapshot.dump(value)

    def load(self, raw: bytes) -> DomainState:
        """A state value from JSON."""
        return self._snapshot.load(raw)


class _Judgement:
    """One step's judgement over the state in `current`, which it changes."""

    def __init__(self, policy: Policy, current: dict[str, DomainState], batch: _Batch) -> None:
        self._policy = policy
        self._current = current
        self._batch = batch
        self._emissions: list[Emission] = []

    def passed(self) -> tuple[Emission, ...]:
        """Judge, and give what is to be said."""
        board = arranged(self._current)
        self._steer(board)
        now = self._batch.now
        findings = [finding for rule in RULES.values() for finding in rule.judge(board, self._policy, now)]
        cases = self._cases(board, findings)
        self._decide(board, findings, cases)
        self._tell(board, findings, cases)
        self._report(board)
        return tuple(self._emissions)

    def withheld(self) -> tuple[Emission, ...]:
        """Say that this detector is late, and nothing else."""
        batch = self._batch
        place = Place(batch.partition, batch.first_offset)
        finding = blindness.behind(self._policy.default_domain, place, batch.detector_lag, batch.now, self._policy)
        held = self._current.get(f"incident/{finding.kind.value}/{finding.subject}")
        if isinstance(held, Case):
            case = updated(held, finding, batch.now)
        else:
            case = opening(finding, batch.now, batch.detector_lag)
        self._current[case.key] = self._told(case, finding.rule)
        return tuple(self._emissions)

    def _steer(self, board: Board) -> None:
        held = dict(board.throttles)
        board.throttles.clear()
        hold = self._policy.overload.hold
        bad = {callee for callee, edges in board.callees.items() if any(edge.overloaded.lasts(hold) for edge in edges)}
        for callee in sorted({*bad, *held}):
            seen = situation(board, callee, self._policy, self._batch.now)
            throttle = steer(held.get(callee), seen, self._batch.now, self._policy.overload, self._policy.control)
            if throttle is None:
                self._current.pop(f"throttle/{callee}", None)
                continue
            board.throttles[callee] = throttle
            if throttle != held.get(callee):
                self._current[f"throttle/{callee}"] = throttle

    def _cases(self, board: Board, findings: list[Finding]) -> dict[str, Case]:
        now, lag = self._batch.now, self._batch.detector_lag
        cases: dict[str, Case] = {}
        for finding in findings:
            held = board.cases.get((finding.kind, finding.subject))
            case = opening(finding, now, lag) if held is None else updated(held, finding, now)
            cases[case.key] = case
        return joined(cases, now)

    def _decide(self, board: Board, findings: list[Finding], cases: dict[str, Case]) -> None:
        wanted = asked(findings)
        for key, (setting, finding) in wanted.items():
            held = board.held.get(key)
            if due(held, setting, self._batch.now):
                case = f"incident/{finding.kind.value}/{finding.subject}"
                new = issued(
                    held,
                    setting,
                    finding,
                    decision_id=self._id(setting.rule),
                    incident_id=cases[case].incident.incident_id,
                    now=self._batch.now,
                    policy=self._policy.decisions,
                )
                if held is None or not held.decision.active or differs(held, setting):
                    cases[case] = linked(cases[case], new.decision.decision_id, self._batch.now)
                self._issue(new)
        for key, held in board.held.items():
            if held.decision.active and key not in wanted:
                self._issue(lifted(held, decision_id=self._id(held.rule), now=self._batch.now))

    def _tell(self, board: Board, findings: list[Finding], cases: dict[str, Case]) -> None:
        rules = {f"incident/{finding.kind.value}/{finding.subject}": finding.rule for finding in findings}
        for key, case in cases.items():
            self._current[key] = self._told(case, rules[key])
        for case in board.cases.values():
            if case.key not in cases:
                self._close(board, case)

    def _report(self, board: Board) -> None:
        for standing, emission in reported(board.services.values(), board.nodes.values(), self._batch, self._policy):
            self._current[standing.key] = standing
            self._emissions.append(emission)

    def _told(self, case: Case, rule: str) -> Case:
        incident, now = case.incident, self._batch.now
        if worth_telling(case, now):
            self._tell_people(case, rule)
            case = replace(case, told=True)
        fresh = incident.updated_at > case.emitted and now >= case.emitted + self._policy.decisions.update
        if case.emitted and not fresh:
            return case
        self._emit_incident(incident, rule)
        return replace(case, emitted=now)

    def _tell_people(self, case: Case, rule: str) -> None:
        told = notice(case.incident, case.severity, self._batch.now)
        self._emissions.append(Emission("notices", case.incident.incident_id, told, rule))

    def _close(self, board: Board, case: Case) -> None:
        rule = RULES[case.incident.kind]
        ending = rule.ending(board, case)
        closed = replace(case, incident=closing(case, ending, self._batch.now))
        self._emit_incident(closed.incident, rule.name)
        if case.told and not ending.quiet:
            self._tell_people(closed, rule.name)
        del self._current[case.key]

    def _issue(self, held: Held) -> None:
        self._current[f"decision/{held.key}"] = held
        self._emissions.append(Emission("decisions", held.key, held.decision, held.rule))

    def _emit_incident(self, incident: Incident, rule: str) -> None:
        self._emissions.append(Emission("incidents", incident.incident_id, incident, rule))

    def _id(self, rule: str) -> str:
        return decision_id("observations", self._batch.partition, self._batch.version, len(self._emissions), rule)
