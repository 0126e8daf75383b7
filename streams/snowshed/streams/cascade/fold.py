"""The judgement of level 2: what is wrong in a domain, who suffers, and what is decided about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from snowshed.schemas.codec import Codec
from snowshed.schemas.identity import decision_id
from snowshed.schemas.records import Incident, OperatorOrder
from snowshed.streams.cascade.board import Board, DomainState, arranged
from snowshed.streams.cascade.calls import Calls
from snowshed.streams.cascade.cases import (
    Case,
    closing,
    linked,
    notice,
    opening,
    placed,
    renewed,
    updated,
    worth_telling,
)
from snowshed.streams.cascade.decisions import Held, Wanted, differs, due, issued, lifted, sorted_out, tightens
from snowshed.streams.cascade.findings import Finding
from snowshed.streams.cascade.intake import adopt, forget, take
from snowshed.streams.cascade.memory import Lasting, Memory
from snowshed.streams.cascade.observations import Observation, Place, read
from snowshed.streams.cascade.orders import commanded, expired, obeyed, ordered
from snowshed.streams.cascade.reports import reported
from snowshed.streams.cascade.rules import RULES, blindness
from snowshed.streams.cascade.rules.consistency import stances
from snowshed.streams.cascade.rules.overload import situation
from snowshed.streams.cascade.rules.write_throttle import throttles
from snowshed.streams.cascade.sight import Sight, aged
from snowshed.streams.cascade.states import dumped, loaded
from snowshed.streams.cascade.steering import loosened, steer
from snowshed.streams.cascade.surges import fleet_of, surged
from snowshed.streams.consistency import Stance, WriteThrottle
from snowshed.streams.folding import Batch, Decoded, Emission, Message, Step
from snowshed.streams.policy import Policy

__all__ = ["DomainFold"]

_Batch = Batch[tuple[Observation, ...]]
_Kept = TypeVar("_Kept", Stance, WriteThrottle, Sight)


class DomainFold:
    """Turns observations into incidents, decisions and notices.

    State keys: `node/…`, `inbound/callee`, `service/…`, `lag/dataset/server`, `season/…`, `throttle/callee`,
    `stance/dataset`, `writes/dataset`, `sight/callee`, `incident/kind/subject`, `decision/scope|kind` and
    `order/scope|kind`.
    While the detector is late (`DecisionPolicy.detector_lag`) observations are taken in, an incident says so, and what
    operators ordered is renewed. Nothing else happens: no other incident opens or closes, and decisions run out.

    Args:
        policy: what it judges by.
        codec: reads observations.
    """

    def __init__(self, policy: Policy, codec: Codec | None = None) -> None:
        self._policy = policy
        self._codec = codec or Codec()
        self._memories: dict[int, Memory] = {}
        self._calls: dict[int, Calls] = {}
        """Of the step before, by partition as well."""

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
        adopt(current)
        take(current, batch.records, batch.partition, self._policy)
        self._order(current, batch)
        forget(current, batch.now, self._policy)
        memory = self._memories.setdefault(batch.partition, Memory())
        board = arranged(current, memory, self._calls.get(batch.partition))
        self._calls[batch.partition] = board.calls
        judgement = _Judgement(self._policy, current, batch, board)
        late = batch.detector_lag > self._policy.decisions.detector_lag
        emissions = judgement.withheld() if late else judgement.passed()
        memory.turn()
        changes: dict[str, DomainState | None] = {
            key: value for key, value in current.items() if value is not state.get(key)
        }
        changes |= {key: None for key in state if key not in current}
        return Step(changes, emissions)

    @staticmethod
    def _order(current: dict[str, DomainState], batch: _Batch) -> None:
        """Take operators' orders in, and let go of those that have come to their end."""
        for observation in batch.records:
            if isinstance(observation.record, OperatorOrder):
                for key, value in ordered(current, observation.record, batch.now).items():
                    current.pop(key, None)
                    if value is not None:
                        current[key] = value
        for key in [key for key, value in current.items() if expired(value, batch.now)]:
            del current[key]

    def dump(self, value: DomainState) -> bytes:
        """A state value as bytes."""
        return dumped(value)

    def load(self, raw: bytes) -> DomainState:
        """A state value from bytes."""
        return loaded(raw)


class _Judgement:
    """One step's judgement over the state in `current`, which it changes."""

    def __init__(self, policy: Policy, current: dict[str, DomainState], batch: _Batch, board: Board) -> None:
        self._policy = policy
        self._current = current
        self._batch = batch
        self._emissions: list[Emission] = []
        self._board = board

    def passed(self) -> tuple[Emission, ...]:
        """Judge, and give what is to be said."""
        board = self._board
        self._keep(board.sights, aged(board.sights, self._batch.now, self._policy.decisions))
        self._steer(board)
        self._stand(board)
        now = self._batch.now
        findings = tuple([finding for rule in RULES.values() for finding in rule.judge(board, self._policy, now)])
        found = board.memory.recalled("sorted", "", findings, now, lambda: Lasting(sorted_out(findings)))
        cases = self._cases(board, found.opening)
        self._decide(board, found.wanted, cases)
        self._tell(board, found.opening, cases)
        self._report(board)
        return tuple(self._emissions)

    def withheld(self) -> tuple[Emission, ...]:
        """Say that this detector is late, renew what operators have ordered, and nothing else."""
        batch, board = self._batch, self._board
        self._obey(board, commanded(board.orders, {*board.held}), {})
        place = Place(batch.partition, batch.first_offset)
        finding = blindness.behind(self._policy.default_domain, place, batch.detector_lag, batch.now, self._policy)
        held = board.incidents.get(finding.key)
        if held is not None:
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
        fleet = fleet_of(board)
        for callee in sorted({*bad, *held}):
            before = held.get(callee)
            known = before.inlets if before is not None else ()
            seen = surged(fleet, situation(board, callee, self._policy, self._batch.now), known, self._policy)
            throttle = steer(before, seen, self._batch.now, self._policy.overload, self._policy.control)
            if board.is_blind(callee):
                throttle = loosened(before, throttle)
            if throttle is None:
                self._current.pop(f"throttle/{callee}", None)
                continue
            if before is not None and throttle == before:
                throttle = before  # what was worked out of it holds on
            else:
                self._current[f"throttle/{callee}"] = throttle
            board.throttles[callee] = throttle

    def _stand(self, board: Board) -> None:
        self._keep(board.stances, stances(board, self._policy, self._batch.now))
        self._keep(board.writes, throttles(board, self._policy, self._batch.now))

    def _keep(self, held: dict[str, _Kept], new: Mapping[str, _Kept]) -> None:
        for name in held.keys() - new.keys():
            del self._current[held.pop(name).key]
        self._current |= {one.key: one for name, one in new.items() if one != held.get(name)}
        held.update(new)

    def _cases(self, board: Board, findings: Mapping[str, Finding]) -> dict[str, Case]:
        now, lag = self._batch.now, self._batch.detector_lag
        cases: dict[str, Case] = {}
        for key, finding in findings.items():
            held = board.incidents.get(key)
            cases[key] = opening(finding, now, lag) if held is None else renewed(board.memory, key, held, finding, now)
        return placed(board.memory, cases, now)

    def _decide(self, board: Board, wanted: Mapping[str, Wanted], cases: dict[str, Case]) -> None:
        orders = commanded(board.orders, {*wanted, *board.held})
        self._obey(board, orders, cases)
        for key, (setting, finding) in wanted.items():
            held = board.held.get(key)
            named = held is not None and bool(held.decision.incident_id)
            if named and not due(held, setting, self._batch.now):
                continue
            if key in orders or (board.is_blind(setting.scope) and tightens(held, setting, self._batch.now)):
                continue
            case = cases.get(finding.key)
            # One that was issued before anybody was harmed is issued again with the incident that it belongs to.
            nameless = held is not None and case is not None and not named
            if due(held, setting, self._batch.now) or nameless:
                new = issued(
                    held,
                    setting,
                    finding,
                    decision_id=self._id(setting.rule),
                    incident_id=case.incident.incident_id if case is not None else "",
                    now=self._batch.now,
                    policy=self._policy.decisions,
                )
                if case is not None and (
                    held is None or not held.decision.active or nameless or differs(held, setting)
                ):
                    cases[case.key] = linked(case, new.decision.decision_id, self._batch.now)
                self._issue(new)
        for key, held in board.held.items():
            if (held.decision.active or held.decision.order_id) and key not in wanted and key not in orders:
                self._issue(lifted(held, decision_id=self._id(held.rule), now=self._batch.now))

    def _obey(self, board: Board, orders: dict[str, OperatorOrder], cases: dict[str, Case]) -> None:
        for key, order in orders.items():
            held = board.held.get(key)
            rule = f"order-{order.action.value}/1"
            now, limits = self._batch.now, self._policy.decisions
            new = obeyed(held, key, order, decision_id=self._id(rule), now=now, policy=limits)
            if new is None:
                continue
            case = next((one for one in cases.values() if one.incident.subject == order.scope), None)
            if case is not None:
                new = replace(new, decision=replace(new.decision, incident_id=case.incident.incident_id))
                if held is None or held.decision.order_id != order.order_id:
                    cases[case.key] = linked(case, new.decision.decision_id, now)
            self._issue(new)

    def _tell(self, board: Board, findings: Mapping[str, Finding], cases: dict[str, Case]) -> None:
        for key, case in cases.items():
            self._current[key] = self._told(case, findings[key].rule)
        for key, case in board.incidents.items():
            if key not in cases:
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
