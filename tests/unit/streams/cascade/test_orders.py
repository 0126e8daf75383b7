"""Operators' own decisions against those of level 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.unit.streams.cascade.domain_script import CODEC, QUEUEING, START, Domain, edges

from snowshed.consumers.decisions.book import DecisionBook
from snowshed.schemas.errors import SchemaMismatch
from snowshed.schemas.records import Decision, DecisionKind, Incident, OperatorAction, OperatorOrder, ScopeKind
from snowshed.streams.cascade import explain
from snowshed.streams.folding import Message

_SURGE: Mapping[str, object] = {**QUEUEING, "first": 160.0, "attempts": 160.0, "ok": 100.0}
_LEVEL = OperatorOrder(
    order_id="o1",
    domain="default",
    scope="api",
    scope_kind=ScopeKind.SERVICE,
    action=OperatorAction.PIN,
    actuator="degrade",
    degrade_level=3,
    ordered_at=START,
    author="ann",
    reason="a launch",
)
_VETO = replace(_LEVEL, order_id="o2", action=OperatorAction.VETO, actuator="", degrade_level=None)
_FREEZE = replace(_VETO, order_id="o3", action=OperatorAction.FREEZE)
_RELEASE = replace(_VETO, order_id="o4", action=OperatorAction.RELEASE)


def overloaded(domain: Domain, start: int, end: int) -> None:
    for at in range(start, end):
        domain.step(at, edges(at, _SURGE))


def newest(domain: Domain, kind: DecisionKind) -> Decision:
    return domain.decisions(kind)[-1][1]


def test_a_pinned_level_holds_without_any_trouble_and_is_renewed_until_it_is_released() -> None:
    domain = Domain(round_trip=True)
    domain.step(0, edges(0))
    domain.step(1, _LEVEL)
    for at in range(2, 30):
        domain.step(at, edges(at))
    said = [one for _, one in domain.decisions(DecisionKind.DEGRADE)]
    assert {(one.active, one.degrade_level, one.epoch) for one in said} == {(True, 3, 2)}
    assert len(said) == 6
    assert said[0].reason == "pinned by ann until released: a launch"
    domain.step(30, _RELEASE)
    assert (newest(domain, DecisionKind.DEGRADE).active, newest(domain, DecisionKind.DEGRADE).epoch) == (False, 3)
    assert not any(key.startswith("order/") for key in domain.state)


def test_a_pin_with_a_ttl_ends_by_itself() -> None:
    domain = Domain()
    domain.step(1, replace(_LEVEL, ttl=5.0))
    for at in range(2, 9):
        domain.step(at, edges(at))
    assert [(at, one.active) for at, one in domain.decisions(DecisionKind.DEGRADE)] == [(1, True), (6, False)]


def test_a_veto_lifts_what_is_in_force_and_lets_nothing_new_be_decided_until_it_is_released() -> None:
    domain = Domain(round_trip=True)
    overloaded(domain, 0, 6)
    assert newest(domain, DecisionKind.RATE).active
    domain.step(6, edges(6, _SURGE), _VETO)
    overloaded(domain, 7, 20)
    kinds = (DecisionKind.RATE, DecisionKind.DEGRADE, DecisionKind.RETRY)
    assert [newest(domain, kind).active for kind in kinds] == [False] * 3
    assert all("vetoed by ann" in newest(domain, kind).reason for kind in kinds)
    domain.step(20, edges(20, _SURGE), _RELEASE)
    assert [(newest(domain, kind).active, newest(domain, kind).order_id) for kind in kinds] == [(True, "")] * 3


def test_a_freeze_renews_what_is_in_force_whatever_level_2_would_change() -> None:
    domain = Domain()
    overloaded(domain, 0, 6)
    before = newest(domain, DecisionKind.RATE).rate_multiplier
    domain.step(6, _FREEZE)
    for at in range(7, 80):
        domain.step(at, edges(at))
    assert newest(domain, DecisionKind.RATE).active
    assert newest(domain, DecisionKind.RATE).rate_multiplier == before


def test_an_order_about_one_actuator_goes_before_one_about_all() -> None:
    domain = Domain()
    domain.step(0, edges(0), _VETO, _LEVEL)
    overloaded(domain, 1, 6)
    assert newest(domain, DecisionKind.DEGRADE).degrade_level == 3
    assert not newest(domain, DecisionKind.RETRY).active


def test_a_guard_obeys_each_order_and_each_release_for_their_epochs_only_grow() -> None:
    domain, book = Domain(), DecisionBook()
    overloaded(domain, 0, 4)
    domain.step(4, edges(4, _SURGE), _LEVEL)
    overloaded(domain, 5, 8)
    domain.step(8, edges(8, _SURGE), _RELEASE)
    for at, decision in domain.all(Decision):
        after = book.apply(decision, float(at))
        assert after is not book
        book = after
    levels = [one.degrade_level for _, one in domain.decisions(DecisionKind.DEGRADE)]
    assert levels == [1, 2, 3, 2]


def test_an_order_stands_with_the_incident_of_its_scope() -> None:
    domain = Domain()
    overloaded(domain, 0, 4)
    domain.step(4, edges(4, _SURGE), _LEVEL)
    incident = [one for _, one in domain.all(Incident) if one.subject == "api"][-1]
    assert "pinned by ann until released: a launch" in explain(incident, [one for _, one in domain.all(Decision)])


def test_a_late_detector_still_renews_what_operators_ordered() -> None:
    domain = Domain()
    domain.step(1, _LEVEL)
    domain.step(7, edges(7), detector_lag=5.0)
    assert [at for at, _ in domain.decisions(DecisionKind.DEGRADE)] == [1, 7]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (replace(_LEVEL, degrade_level=5), "degrade_level is 5: it is 0 to 4"),
        (replace(_LEVEL, degrade_level=None), "a pin sets the one value of its actuator"),
        (replace(_LEVEL, actuator="rate"), "a pin sets the one value of its actuator"),
        (replace(_VETO, actuator="brakes"), "actuator 'brakes' is none of breaker"),
        (replace(_VETO, degrade_level=1), "only a pin has values"),
        (replace(_VETO, ttl=0.0), "more than 0"),
        (replace(_VETO, author=" "), "nobody is named"),
        (replace(_VETO, reason=""), "no reason is given"),
    ],
)
def test_an_order_that_cannot_be_is_refused_where_it_is_read(order: OperatorOrder, reason: str) -> None:
    decoded = Domain().fold.decode([Message(0, START, b"default", CODEC.encode(order))])
    (reject,) = decoded.rejects
    assert isinstance(reject.error, SchemaMismatch)
    assert reason in str(reject.error)
