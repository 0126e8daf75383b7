"""Ids follow from the log, so a replay gives the same ones."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas import IncidentKind, decision_id, incident_id

PLACES = st.tuples(
    st.text(alphabet="abc.-", max_size=5),
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(0, 9),
    st.text(max_size=5),
)


def test_ids_are_the_same_in_every_process_and_release() -> None:
    """Recorded decisions are compared with replayed ones."""
    assert decision_id("snowshed.observations", 3, 17, 0, "retry@1") == "37c9a543373a2ef545f18a9ff38b4e9b"
    assert incident_id("shop", IncidentKind.REPLICA_LAG, "orders/r1", 1.7e9) == "lag-orders-r1-2469c2"


@given(PLACES, PLACES)
def test_two_decisions_share_an_id_only_if_they_share_their_place(
    one: tuple[str, int, int, int, str], other: tuple[str, int, int, int, str]
) -> None:
    assert (decision_id(*one) == decision_id(*other)) == (one == other)


@given(PLACES)
def test_a_decision_id_is_32_hexadecimal_digits(place: tuple[str, int, int, int, str]) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", decision_id(*place))


@given(st.text(), st.sampled_from(IncidentKind), st.text(), st.floats(0, 4e9))
def test_an_incident_id_can_stand_in_a_url_and_on_one_line(
    domain: str, kind: IncidentKind, subject: str, opened_at: float
) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*-[0-9a-f]{6}", incident_id(domain, kind, subject, opened_at))
    assert len(incident_id(domain, kind, subject, opened_at)) <= 60


@pytest.mark.parametrize(
    "change", [{"domain": "bank"}, {"kind": IncidentKind.OVERLOAD}, {"subject": "orders/r2"}, {"opened_at": 2.0}]
)
def test_every_part_of_an_incident_tells_it_from_others(change: dict[str, object]) -> None:
    base = {"domain": "shop", "kind": IncidentKind.REPLICA_LAG, "subject": "orders/r1", "opened_at": 1.0}
    assert incident_id(**(base | change)) != incident_id(**base)  # type: ignore[arg-type]


def test_a_long_subject_is_cut() -> None:
    shown = incident_id("shop", IncidentKind.OVERLOAD, "Orders/" + "x" * 100, 1.0)
    assert re.fullmatch(r"overload-orders-x{33}-[0-9a-f]{6}", shown)
