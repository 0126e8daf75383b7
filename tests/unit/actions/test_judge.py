"""What happens to actions, from an incident to a claim, and after an executor has died."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.acting import health, plan, settle, situation, state
from tests.support.noticing import incident

from snowshed.consumers.actions.judge import next_states, ordered, recovered
from snowshed.consumers.actions.runbook import Plan
from snowshed.consumers.actions.situation import Situation
from snowshed.consumers.actions.states import FINAL, TRANSITIONS, ActionEvent, IllegalStep, action_id, advanced
from snowshed.schemas.records import (
    ActionOrder,
    ActionState,
    ActionStatus,
    Decision,
    DecisionKind,
    Guarantee,
    IncidentKind,
    IncidentStatus,
    Liveness,
    OrderVerdict,
    ScopeKind,
    ServiceHealth,
    ServiceStatus,
)

NOW = 1000.0
RUNBOOK = """
[[runbooks]]
name = "restart"
mode = "{mode}"
expires = 900
{more}
[runbooks.match]
kind = ["overload"]
{match}
[runbooks.conditions]
{conditions}
[[runbooks.steps]]
do = "restart"
with = "command"
command = ["restart", "$service"]
guarantee = "{guarantee}"
"""


def runbook(
    mode: str = "automatic",
    *,
    more: str = "",
    match: str = "",
    conditions: str = "",
    guarantee: str = "at_most_once",
) -> Plan:
    return plan(RUNBOOK.format(mode=mode, more=more, match=match, conditions=conditions, guarantee=guarantee))


def judged(which: Plan, known: Situation, now: float = NOW) -> list[ActionStatus]:
    return [one.status for one in settle(known, next_states(which, known, now, "me"))]


def only(known: Situation) -> ActionState:
    [found] = known.actions.values()
    return found


def service(status: ServiceStatus, name: str = "payments") -> ServiceHealth:
    return ServiceHealth(
        domain="shop",
        service=name,
        status=status,
        observed_at=NOW,
        detector_lag=0.0,
        demand=1.0,
        inflow=1.0,
        throughput=1.0,
        vulnerability_low=0.0,
        vulnerability_high=0.0,
        vulnerability_method="",
    )


def level(number: int, **changes: Any) -> Decision:
    held = Decision(
        decision_id="d1",
        domain="shop",
        scope="payments",
        scope_kind=ScopeKind.SERVICE,
        kind=DecisionKind.DEGRADE,
        active=True,
        epoch=1,
        seq=1,
        issued_at=NOW,
        ttl=10.0,
        degrade_level=number,
        reason="",
        incident_id="overload-payments-1",
        confidence=1.0,
    )
    return replace(held, **changes)


# From an incident to a claim


def test_an_automatic_action_is_proposed_approved_and_claimed_at_once() -> None:
    known = situation(incident(), level(2))
    assert judged(runbook(), known) == [ActionStatus.PROPOSED, ActionStatus.APPROVED, ActionStatus.CLAIMED]
    claimed = only(known)
    assert (claimed.target, claimed.by, claimed.decision_id) == ("restart payments", "me", "d1")
    assert claimed.claimed_at == NOW


def test_a_decision_that_is_renewed_and_an_incident_that_is_told_again_change_nothing() -> None:
    known = situation(incident(), level(2))
    judged(runbook(), known)
    known.take(incident(updated_at=NOW + 1))
    known.take(level(2, decision_id="d2", seq=2))
    assert judged(runbook(), known, NOW + 1) == []


def test_an_action_that_has_ended_is_not_run_again_by_a_replay_of_its_incident() -> None:
    for ended in FINAL:
        known = situation(incident(), state(ended))
        assert judged(runbook(), known) == []


def test_approval_waits_for_a_person() -> None:
    known = situation(incident())
    assert judged(runbook("approval"), known) == [ActionStatus.PROPOSED]
    assert judged(runbook("approval"), known, NOW + 10) == []
    order = ActionOrder(action_id=only(known).action_id, verdict=OrderVerdict.APPROVE, by="eva", at=NOW)
    approved = ordered(known, order, NOW)
    assert approved is not None
    assert (approved.status, approved.by) == (ActionStatus.APPROVED, "eva")
    known.apply(approved)
    assert judged(runbook("approval"), known) == [ActionStatus.CLAIMED]
    assert ordered(known, order, NOW) is None, "the same word again changes nothing"


def test_a_person_can_refuse_until_it_begins() -> None:
    for status in (ActionStatus.PROPOSED, ActionStatus.APPROVED):
        known = situation(state(status))
        order = ActionOrder(action_id=only(known).action_id, verdict=OrderVerdict.REJECT, by="eva", at=NOW)
        refused = ordered(known, order, NOW)
        assert refused is not None
        assert refused.status is ActionStatus.REFUSED
    for status in (ActionStatus.RUNNING, ActionStatus.DONE):
        known = situation(state(status))
        order = ActionOrder(action_id=only(known).action_id, verdict=OrderVerdict.REJECT, by="eva", at=NOW)
        assert ordered(known, order, NOW) is None


def test_a_dry_run_says_what_would_be_done_and_claims_nothing() -> None:
    known = situation(incident())
    assert judged(runbook("dry_run"), known) == [ActionStatus.PROPOSED, ActionStatus.REHEARSED]
    assert only(known).reason == "dry run: would restart payments"


def test_a_proposal_expires_when_its_time_is_over_or_its_incident_closes() -> None:
    known = situation(incident())
    judged(runbook("approval"), known)
    assert judged(runbook("approval"), known, NOW + 900) == [ActionStatus.EXPIRED]
    known = situation(incident())
    judged(runbook("approval"), known)
    known.take(incident(status=IncidentStatus.CLOSED, closed_at=NOW))
    assert judged(runbook("approval"), known) == [ActionStatus.EXPIRED]


def test_a_runbook_that_is_no_longer_declared_refuses_its_proposals() -> None:
    known = situation(incident(), state())
    other = plan(
        RUNBOOK.format(mode="approval", more="", match="", conditions="", guarantee="idempotent").replace(
            '"restart"\nmode', '"other"\nmode'
        )
    )
    assert judged(other, known) == [ActionStatus.PROPOSED, ActionStatus.REFUSED]


@pytest.mark.parametrize(
    ("match", "found", "answers"),
    [
        ("", incident(), True),
        ("", incident(kind=IncidentKind.CASCADE), False),
        ('service = "pay*"', incident(), True),
        ('service = "cart"', incident(), False),
        ("confidence = 0.95", incident(), False),
        ("open_for = 5", incident(opened_at=NOW - 6), True),
        ("open_for = 5", incident(opened_at=NOW - 4), False),
        ('verdict = "metastable"', incident(), True),
        ('verdict = "capacity_loss"', incident(), False),
        ("level = 2", incident(), True),
        ("level = 3", incident(), False),
    ],
)
def test_a_runbook_answers_what_meets_all_its_conditions(match: str, found: Any, answers: bool) -> None:
    known = situation(found, service(ServiceStatus.METASTABLE), level(2))
    assert bool(judged(runbook(match=match), known)) is answers


def test_a_level_counts_only_while_its_decision_is_in_force() -> None:
    for gone in (level(3, issued_at=NOW - 11), level(3, active=False)):
        assert judged(runbook(match="level = 2"), situation(incident(), gone)) == []


def test_a_value_that_could_be_taken_for_something_else_refuses_the_action() -> None:
    for name in ("--rm", "a b", "a;b", "$(x)", "../x", "a/b/../c"):
        known = situation(incident(subject=name))
        statuses = judged(runbook(), known)
        assert statuses == [ActionStatus.REFUSED], name


# Budgets and conditions


def test_a_spent_budget_asks_a_person_who_may_let_it_run_all_the_same() -> None:
    done = state(ActionStatus.DONE, incident_id="earlier", claimed_at=NOW - 100)
    known = situation(incident(), done)
    assert judged(runbook(conditions="spacing = 0"), known) == [ActionStatus.PROPOSED, ActionStatus.PROPOSED]
    asked = known.actions[action_id("overload-payments-1", "restart", 0)]
    assert asked.by == "budget"
    assert "may act 1 times in 3600 s on payments, and has" in asked.reason
    assert judged(runbook(conditions="spacing = 0"), known, NOW + 1) == [], "it is asked once"
    order = ActionOrder(action_id=asked.action_id, verdict=OrderVerdict.APPROVE, by="eva", at=NOW)
    approved = ordered(known, order, NOW)
    assert approved is not None
    known.apply(approved)
    assert judged(runbook(conditions="spacing = 0"), known) == [ActionStatus.CLAIMED]


def test_a_budget_is_free_again_after_its_time() -> None:
    done = state(ActionStatus.DONE, incident_id="earlier", claimed_at=NOW - 3_601)
    assert ActionStatus.CLAIMED in judged(runbook(), situation(incident(), done))


def test_budgets_count_for_each_service_and_for_all() -> None:
    subjects = ("payments", "cart", "stock", "search")
    many = [incident(f"i-{name}", subject=name) for name in subjects]
    known = situation(*many)
    judged(runbook(), known)
    claimed = [one.service for one in known.actions.values() if one.status is ActionStatus.CLAIMED]
    assert len(claimed) == 3, "the runbook's total"
    [asked] = [one for one in known.actions.values() if one.by == "budget"]
    assert "may act 3 times in 3600 s in all, and has" in asked.reason


@given(st.lists(st.sampled_from(["payments", "cart", "stock"]), max_size=12), st.integers(1, 3), st.integers(1, 5))
def test_no_more_actions_run_by_themselves_than_any_budget_allows(subjects: list[str], count: int, total: int) -> None:
    which = plan(
        f"[budget]\ncount = {count}\ntotal = {total}\n"
        + RUNBOOK.format(mode="automatic", more="", match="", conditions="spacing = 0", guarantee="idempotent")
        + "[runbooks.budget]\ncount = 10\ntotal = 10\n"
    )
    known = situation(*(incident(f"i{number}", subject=name) for number, name in enumerate(subjects)))
    for moment in range(20):
        judged(which, known, NOW + moment)
        for one in [*known.actions.values()]:
            if one.status is ActionStatus.CLAIMED:
                running = advanced(one, ActionEvent.START, NOW + moment, by="me", reason="")
                known.apply(advanced(running, ActionEvent.SUCCEED, NOW + moment, by="me", reason=""))
    ran = [one.service for one in known.actions.values() if one.claimed_at is not None]
    assert len(ran) <= total
    assert all(ran.count(name) <= count for name in set(ran))


def waits(which: Plan, known: Situation) -> str:
    """Why an approved action does not begin, as it says when it expires."""
    assert ActionStatus.CLAIMED not in judged(which, known)
    assert judged(which, known, NOW + 900) == [ActionStatus.EXPIRED]
    return known.actions[action_id("overload-payments-1", "restart", 0)].reason


def test_nothing_begins_while_the_detector_is_blind() -> None:
    blind = incident("blind", kind=IncidentKind.DETECTOR, subject="shop")
    assert "does not see all of shop" in waits(runbook(), situation(incident(), blind))
    allowed = runbook(conditions="when_blind = true")
    assert ActionStatus.CLAIMED in judged(allowed, situation(incident(), blind))
    known = situation(incident())
    judged(runbook("approval"), known)
    late = NOW + 61.0
    order = ActionOrder(action_id=only(known).action_id, verdict=OrderVerdict.APPROVE, by="eva", at=late)
    settle(known, filter(None, [ordered(known, order, late)]))
    assert judged(runbook("approval"), known, late) == [], "for a minute nobody has said anything of the domain"
    known.take(replace(health("n9"), observed_at=late))
    assert judged(runbook("approval"), known, late) == [ActionStatus.CLAIMED]
    elsewhere = incident("blind", kind=IncidentKind.DETECTOR, subject="other", domain="other")
    assert ActionStatus.CLAIMED in judged(runbook(), situation(incident(), elsewhere))


def test_no_more_nodes_may_be_out_than_declared_the_one_acted_on_included() -> None:
    which = runbook(conditions="max_unavailable = 0.34").runbooks[0]
    which = replace(which, match=replace(which.match, kinds=frozenset({IncidentKind.NODE_FAILED})))
    failed = incident(kind=IncidentKind.NODE_FAILED, subject="n1", members=())
    three = [health("n1", Liveness.DEAD), health("n2"), health("n3")]
    assert ActionStatus.CLAIMED in judged(Plan((which,)), situation(failed, *three))
    two_out = [health("n1", Liveness.DEAD), health("n2", Liveness.SUSPECT), health("n3")]
    assert "2 of 3 nodes of payments would be out" in waits(Plan((which,)), situation(failed, *two_out))
    gone = [*three, health("n4", Liveness.LEFT)]
    assert ActionStatus.CLAIMED in judged(Plan((which,)), situation(failed, *gone))
    assert "no node of n1 is known" in waits(Plan((which,)), situation(failed))


def test_actions_on_a_service_run_one_after_the_other_with_a_pause() -> None:
    busy = state(ActionStatus.RUNNING, incident_id="earlier", claimed_at=NOW - 5, runbook="other")
    which = runbook(more="", conditions="spacing = 60")
    assert "another action on payments is under way" in waits(which, situation(incident(), busy))
    generous = Plan((replace(which.runbooks[0], budget=replace(which.runbooks[0].budget, count=5)),))
    lately = state(ActionStatus.DONE, incident_id="earlier", claimed_at=NOW - 5)
    known = situation(incident(), lately)
    assert judged(generous, known) == [ActionStatus.PROPOSED, ActionStatus.APPROVED]
    assert judged(generous, known, NOW + 54) == []
    assert judged(generous, known, NOW + 55) == [ActionStatus.CLAIMED]


# Steps


def test_a_step_follows_when_the_one_before_is_done_and_not_when_it_failed() -> None:
    second = '[[runbooks.steps]]\ndo = "custom"\nwith = "command"\ncommand = ["verify", "$service"]\n'
    which = plan(RUNBOOK.format(mode="approval", more="", match="", conditions="", guarantee="idempotent") + second)
    known = situation(incident(), state(ActionStatus.DONE))
    assert judged(which, known) == [ActionStatus.PROPOSED]
    assert {one.step for one in known.actions.values()} == {0, 1}
    for ended in (ActionStatus.FAILED, ActionStatus.UNKNOWN, ActionStatus.REFUSED):
        assert judged(which, situation(incident(), state(ended))) == []


# After a death


def after(which: Plan, left: ActionState, mine: frozenset[str] = frozenset()) -> ActionState | None:
    known = situation(incident(), left)
    found = [*recovered(which, known, mine, NOW, "heir")]
    return found[0] if found else None


def test_what_was_claimed_and_had_not_begun_is_claimed_again() -> None:
    heir = after(runbook(), state(ActionStatus.CLAIMED, claimed_at=NOW - 5))
    assert heir is not None
    assert (heir.status, heir.by, heir.claimed_at) == (ActionStatus.CLAIMED, "heir", NOW)


def test_what_ran_and_must_not_run_twice_is_unknown() -> None:
    heir = after(runbook(), state(ActionStatus.RUNNING, attempt=1))
    assert heir is not None
    assert heir.status is ActionStatus.UNKNOWN


def test_what_ran_and_may_run_twice_is_begun_again_until_its_attempts_are_spent() -> None:
    which = runbook(guarantee="idempotent")
    left = state(ActionStatus.RUNNING, guarantee=Guarantee.IDEMPOTENT, attempt=1)
    heir = after(which, left)
    assert heir is not None
    assert (heir.status, heir.attempt, heir.action_id) == (ActionStatus.RUNNING, 2, left.action_id)
    last = after(which, replace(left, attempt=3))
    assert last is not None
    assert last.status is ActionStatus.FAILED


def test_what_this_process_carries_out_itself_is_left_alone() -> None:
    mine = state(ActionStatus.RUNNING, attempt=1)
    assert after(runbook(), mine, frozenset({mine.action_id})) is None
    for status in (ActionStatus.PROPOSED, ActionStatus.APPROVED, *FINAL):
        assert after(runbook(), state(status)) is None


# The table


def test_nothing_runs_that_was_not_approved_and_claimed() -> None:
    leads = {after: {before for before, row in TRANSITIONS.items() if after in row.values()} for after in ActionStatus}
    assert leads[ActionStatus.RUNNING] == {ActionStatus.CLAIMED, ActionStatus.RUNNING}
    assert leads[ActionStatus.CLAIMED] == {ActionStatus.APPROVED, ActionStatus.CLAIMED}
    assert leads[ActionStatus.DONE] == leads[ActionStatus.UNKNOWN] == {ActionStatus.RUNNING}


def test_every_state_is_in_the_table_and_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(ActionStatus)
    reached = {after for row in TRANSITIONS.values() for after in row.values()}
    assert reached == set(ActionStatus)


def test_a_step_that_the_table_does_not_name_is_refused() -> None:
    with pytest.raises(IllegalStep, match="is done and cannot start"):
        advanced(state(ActionStatus.DONE), ActionEvent.START, NOW, by="me", reason="")


def test_an_older_state_never_replaces_a_newer_one() -> None:
    known = situation(state(ActionStatus.DONE, seq=5), state(ActionStatus.RUNNING, seq=4))
    assert only(known).status is ActionStatus.DONE


def test_the_id_of_an_action_follows_from_incident_runbook_and_step() -> None:
    ids = {action_id(*words) for words in (("i", "r", 0), ("i", "r", 1), ("i", "s", 0), ("j", "r", 0))}
    assert len(ids) == 4
    assert action_id("i", "r", 0) in ids
