"""Incidents from their first finding to their end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from snowshed.schemas.identity import incident_id
from snowshed.schemas.records import Evidence, Incident, IncidentKind, IncidentStatus, Notice
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.memory import Lasting, Memory

__all__ = [
    "Case",
    "closing",
    "joined",
    "linked",
    "notice",
    "opening",
    "placed",
    "renewed",
    "updated",
    "worth_telling",
]

_PARTS = frozenset(
    {
        IncidentKind.OVERLOAD,
        IncidentKind.RETRY_AMPLIFICATION,
        IncidentKind.METASTABLE,
        IncidentKind.CAPACITY_LOSS,
    }
)
"""What can be a part of a cascade; of a gray failure, the cascade is the part."""
_OF_A_CUT = frozenset({IncidentKind.OVERLOAD, IncidentKind.RETRY_AMPLIFICATION, IncidentKind.GRAY_FAILURE})
_OF_A_SERVICE: Mapping[IncidentKind, frozenset[IncidentKind]] = {
    IncidentKind.OVERLOAD: frozenset({IncidentKind.CAPACITY_LOSS}),
    IncidentKind.GRAY_FAILURE: frozenset(
        {IncidentKind.OVERLOAD, IncidentKind.RETRY_AMPLIFICATION, IncidentKind.CAPACITY_LOSS}
    ),
}
_ORIGINS = frozenset({IncidentKind.PARTITION, IncidentKind.GRAY_FAILURE})
"""What a cascade is a part of when it spreads from there."""
_OF_MEMBERS = frozenset({IncidentKind.CASCADE, IncidentKind.PARTITION})
"""What explains incidents on its members; the others explain those on their own subject."""
_WHOLES = _OF_MEMBERS | _OF_A_SERVICE.keys()
_DECISIONS = 20
"""Newest decisions an incident names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An open incident and what is not part of its record."""

    incident: Incident
    severity: str
    first_evidence: tuple[Evidence, ...]
    """What opened it; kept while newer evidence is exchanged."""
    emitted: float
    """When the record was last written; 0 before the first time."""
    told: bool = True
    """Whether people have been told; not of what opened as a part of another incident, until it stands alone."""
    patience: float = 0.0
    """Seconds that it must last before they are."""
    acute: bool = True
    """Whether its condition holds now."""

    @property
    def key(self) -> str:
        """State key."""
        return f"incident/{self.incident.kind.value}/{self.incident.subject}"


def opening(finding: Finding, now: float, detector_lag: float) -> Case:
    """The case that a finding opens."""
    incident = Incident(
        incident_id=incident_id(finding.domain, finding.kind, finding.subject, now),
        domain=finding.domain,
        kind=finding.kind,
        status=IncidentStatus.OPEN,
        subject=finding.subject,
        summary=finding.summary,
        opened_at=now,
        updated_at=now,
        members=finding.members,
        causes=finding.causes,
        evidence=finding.evidence,
        confidence=finding.confidence,
        detector_lag=detector_lag,
        predicted=finding.predicted,
        entry_share=finding.entry_share,
    )
    return Case(
        incident=incident,
        severity=finding.severity,
        first_evidence=finding.evidence,
        emitted=0.0,
        told=False,
        patience=finding.patience,
        acute=finding.acute,
    )


def updated(case: Case, finding: Finding, now: float) -> Case:
    """The case with the newest findings; the same object when they say nothing new."""
    first = case.first_evidence
    # Equal evidence has the same series and time, and to hash all of it takes longer than all else here.
    known = {(item.series, item.at) for item in first}
    newer = (item for item in finding.evidence if (item.series, item.at) not in known or item not in first)
    evidence = (*first, *newer)
    said: dict[str, Any] = {
        "summary": finding.summary,
        "members": finding.members,
        "causes": finding.causes or case.incident.causes,
        "evidence": evidence,
        "confidence": finding.confidence,
        "predicted": finding.predicted,
        "entry_share": finding.entry_share,
    }
    if said == {name: getattr(case.incident, name) for name in said}:
        return case if finding.acute is case.acute else replace(case, acute=finding.acute)
    incident = replace(case.incident, updated_at=now, **said)
    return replace(case, incident=incident, severity=finding.severity, acute=finding.acute)


def renewed(memory: Memory, key: str, case: Case, finding: Finding, now: float) -> Case:
    """As `updated`; where it had nothing new to say of the same case and finding before, it has none now.

    Args:
        memory: of the steps before.
        key: the case's state key.
        case: the case so far.
        finding: the newest one.
        now: the step's time.
    """

    def work() -> Lasting[Case]:
        new = updated(case, finding, now)
        return Lasting(new) if new is case else Lasting(new, now)

    return memory.recalled("case", key, (case, finding), now, work)


def linked(case: Case, decision: str, now: float) -> Case:
    """The case with one more decision."""
    decisions = (*case.incident.decisions, decision)[-_DECISIONS:]
    return replace(case, incident=replace(case.incident, decisions=decisions, updated_at=now))


def worth_telling(case: Case, now: float) -> bool:
    """Whether people have to be told of it now."""
    incident = case.incident
    return not case.told and not incident.part_of and now >= incident.opened_at + case.patience


def joined(cases: Mapping[str, Case], now: float) -> dict[str, Case]:
    """The cases with each one that another explains made a part of it, and each that none explains standing alone.

    Every incident keeps its identity: it is only said where it belongs, so that one trouble is one page at night.
    """
    wholes = [case.incident for case in cases.values() if case.incident.kind in _WHOLES]
    near = _by_subject(wholes)
    return {key: _placed(case, near.get(case.incident.subject, ()), wholes, now) for key, case in cases.items()}


def placed(memory: Memory, cases: Mapping[str, Case], now: float) -> dict[str, Case]:
    """As `joined`; cases that were all in their places before are so now."""

    def work() -> Lasting[dict[str, Case]]:
        new = joined(cases, now)
        settled = all(new[key] is case for key, case in cases.items())
        return Lasting(new, inf if settled else now)

    found = memory.recalled("places", "", tuple(cases.values()), now, work)
    return dict(found)  # they may be changed


def _by_subject(wholes: Iterable[Incident]) -> dict[str, list[Incident]]:
    """The wholes that may explain an incident on a subject: those that have it for a member, or are about it alone."""
    near: dict[str, list[Incident]] = {}
    for whole in wholes:
        for subject in dict.fromkeys(whole.members) if whole.kind in _OF_MEMBERS else (whole.subject,):
            near.setdefault(subject, []).append(whole)
    return near


def _placed(case: Case, near: Iterable[Incident], wholes: Iterable[Incident], now: float) -> Case:
    incident = case.incident
    among = wholes if incident.kind is IncidentKind.CASCADE else near
    whole = next((one.incident_id for one in among if _explains(one, incident)), "")
    # One that outlives what it was a part of is news, unless it is merely watched until it has stayed away.
    if whole == incident.part_of or not (whole or case.acute):
        return case
    return replace(case, incident=replace(incident, part_of=whole, updated_at=now))


def _explains(whole: Incident, incident: Incident) -> bool:
    """Whether an incident is a part of a whole; one that is no cascade, of a whole near its subject."""
    if incident.kind is IncidentKind.CASCADE:
        # It spreads from there: the trouble is told where it began, and the cascade as what became of it.
        return whole.kind in _ORIGINS and bool({one.name for one in whole.causes} & {_first(incident)})
    if whole.kind is IncidentKind.CASCADE:
        return whole.domain == incident.domain and incident.kind in _PARTS
    if whole.kind is IncidentKind.PARTITION:
        return incident.kind in _OF_A_CUT
    # One service, one page: what it has lost is why it is overloaded, and what it fails is why it seems to be.
    return incident.kind in _OF_A_SERVICE[whole.kind]


def _first(incident: Incident) -> str:
    return incident.causes[0].name if incident.causes else ""


def closing(case: Case, ending: Ending, now: float) -> Incident:
    """The closed incident."""
    return replace(case.incident, status=IncidentStatus.CLOSED, summary=ending.summary, updated_at=now, closed_at=now)


def notice(incident: Incident, severity: str, now: float) -> Notice:
    """What people are told when an incident opens or closes."""
    state = "closed" if incident.status is IncidentStatus.CLOSED else "opened"
    return Notice(
        notice_id=f"{incident.incident_id}-{state}",
        incident_id=incident.incident_id,
        domain=incident.domain,
        severity="info" if incident.status is IncidentStatus.CLOSED else severity,
        title=f"{incident.kind.value.replace('_', ' ')}: {incident.subject} ({state})",
        text=incident.summary,
        issued_at=now,
    )
