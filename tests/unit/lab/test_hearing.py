from __future__ import annotations

from dataclasses import replace

from snowshed.consumers import Delivery
from snowshed.schemas.records import Decision, DecisionKind, Incident, IncidentKind, IncidentStatus, Record, ScopeKind
from snowshed.streams.lab.hearing import Ear
from snowshed.streams.lab.played import Note

START = 1000.0
INCIDENT = Incident(
    incident_id="overload-server-1",
    kind=IncidentKind.OVERLOAD,
    status=IncidentStatus.OPEN,
    domain="default",
    subject="server",
    members=("server",),
    opened_at=1016.0,
    updated_at=1016.0,
    closed_at=None,
    summary="server is overloaded.",
    confidence=0.9,
    detector_lag=0.0,
)
DECISION = Decision(
    decision_id="d1",
    domain="default",
    scope="server",
    scope_kind=ScopeKind.SERVICE,
    kind=DecisionKind.DEGRADE,
    active=True,
    epoch=1,
    seq=1,
    issued_at=1016.5,
    ttl=10.0,
    degrade_level=1,
    reason="server is overloaded: degrade level 1",
    incident_id=INCIDENT.incident_id,
    confidence=0.9,
)


def heard(*records: Record) -> list[Note]:
    notes: list[Note] = []
    ear = Ear(notes.append, START)
    for record in records:
        ear.hear(Delivery("topic", 0, 0, START, "key", record))
    return notes


def test_an_incident_and_its_decision_are_told_in_the_sentences_of_explain() -> None:
    assert heard(INCIDENT, DECISION) == [
        Note(16.0, "server is overloaded.", decided=True),
        Note(16.5, "degrade of server: degrade level 1", decided=True),
    ]


def test_a_decision_that_arrives_before_its_incident_is_told_after_it() -> None:
    assert heard(DECISION, INCIDENT) == heard(INCIDENT, DECISION)


def test_a_renewal_is_no_news_and_a_new_level_is() -> None:
    renewed = replace(DECISION, seq=2, issued_at=1021.5)
    worse = replace(DECISION, seq=3, issued_at=1022.0, degrade_level=2)
    assert [note.at for note in heard(INCIDENT, DECISION, renewed, worse)] == [16.0, 16.5, 22.0]


def test_a_rate_that_moves_every_second_is_told_when_it_begins_and_ends() -> None:
    rate = replace(DECISION, kind=DecisionKind.RATE, degrade_level=None, rate_multiplier=0.5, absolute_cap=100.0)
    moved = replace(rate, seq=2, issued_at=1017.5, rate_multiplier=0.4)
    lifted = replace(rate, seq=3, issued_at=1030.0, active=False)
    assert [note.at for note in heard(INCIDENT, rate, moved, lifted)] == [16.0, 16.5, 30.0]


def test_an_incident_is_told_again_when_it_closes() -> None:
    closed = replace(
        INCIDENT, status=IncidentStatus.CLOSED, updated_at=1030.0, closed_at=1030.0, summary="server is well again."
    )
    assert [note.text for note in heard(INCIDENT, closed)] == ["server is overloaded.", "server is well again."]
