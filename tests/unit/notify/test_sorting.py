"""Which channels an item goes to, and up to where its partition may be committed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.noticing import incident, item, notice

from snowshed.consumers.notify.desk import Desk, Source
from snowshed.consumers.notify.items import action_item, notice_item, reminder_item
from snowshed.consumers.notify.memory import Memory
from snowshed.consumers.notify.message import Delivery, Outcome, Phase
from snowshed.consumers.notify.outbox import Limits
from snowshed.consumers.notify.routes import Route, channels_for
from snowshed.schemas.records import (
    ActionKind,
    ActionMode,
    ActionState,
    ActionStatus,
    DeliveryStatus,
    Guarantee,
    IncidentKind,
    IncidentStatus,
    NoticeDelivery,
)

PLACE = ("notices", 0)
SENT = Delivery(Outcome.SENT)


def route(*channels: str, **conditions: Any) -> Route:
    return replace(Route(channels=channels), **conditions)


def unexplained(_incident: object, _decisions: object) -> str:
    return "now worse"


def source(offset: int, place: tuple[str, int] = PLACE) -> Source:
    return Source(place, offset, 0.0, b"k", b"v")


def desk(*routes: Route, memory: Memory | None = None) -> Desk:
    channels = {name: Limits() for one in routes for name in one.channels}
    return Desk(channels, routes, memory or Memory(), max_age=3_600.0)


def delivery(name: str, channel: str = "chat", status: DeliveryStatus = DeliveryStatus.SENT) -> NoticeDelivery:
    return NoticeDelivery(
        notice_id=f"{name}-opened", incident_id=name, channel=channel, severity="critical", status=status, at=1.0
    )


# Routes


@pytest.mark.parametrize(
    ("conditions", "taken"),
    [
        ({}, True),
        ({"severities": frozenset({"critical"})}, True),
        ({"severities": {"warning"}}, False),
        ({"kinds": {"overload", "cascade"}}, True),
        ({"kinds": {"cascade"}}, False),
        ({"services": ("pay*",)}, True),
        ({"services": ("ord?rs",)}, True),
        ({"services": ("cart",)}, False),
        ({"phases": {"closed"}}, False),
        ({"severities": frozenset({"critical"}), "services": ("cart",)}, False),
    ],
)
def test_a_route_takes_what_meets_all_its_conditions(conditions: dict[str, Any], taken: bool) -> None:
    assert route("chat", **conditions).takes(item()) is taken


def test_an_incident_of_which_nothing_is_known_meets_conditions_on_kind_and_service() -> None:
    unknown = item(kind="", subject="", concerned=())
    assert route("chat", kinds={"cascade"}, services=("cart",)).takes(unknown)
    assert not route("chat", severities={"info"}).takes(unknown)


def test_channels_are_named_once_and_the_last_route_ends_the_search() -> None:
    routes = [route("a", "b"), route("b", "c", last=True), route("d")]
    assert channels_for(routes, item()) == ("a", "b", "c")


# Items


def test_an_item_holds_the_explanation_and_keeps_the_severity_of_the_first_notice() -> None:
    closed = incident(status=IncidentStatus.CLOSED, closed_at=1060.0)
    held = notice_item(
        notice(state="closed", issued_at=1060.0), closed, (), severity="critical", explain=lambda one, _: one.summary
    )
    assert (held.phase, held.severity, held.closed_at) == (Phase.CLOSED, "critical", 1060.0)
    assert held.explanation == closed.summary
    assert held.kind == "overload"


def test_an_item_concerns_the_ends_of_an_edge() -> None:
    edge = incident(kind=IncidentKind.PARTITION, subject="orders>payments", members=())
    held = notice_item(notice(), edge, (), severity="critical", explain=unexplained)
    assert held.concerned == ("orders>payments", "orders", "payments")


def test_a_notice_without_its_incident_is_told_with_its_own_words() -> None:
    held = notice_item(notice(), None, (), severity="critical", explain=unexplained)
    assert (held.kind, held.explanation) == ("", "payments is overloaded.")


def test_a_reminder_is_the_notice_that_opened_the_incident_with_what_is_known_now() -> None:
    held = reminder_item(incident(), (), severity="critical", explain=unexplained)
    assert (held.notice_id, held.explanation) == ("overload-payments-1-opened", "now worse")
    assert held.title == "overload: payments (opened)"


def action(status: ActionStatus, mode: ActionMode = ActionMode.AUTOMATIC, by: str = "x") -> ActionState:
    return ActionState(
        action_id="a1",
        seq=1,
        runbook="restart-payments",
        step=0,
        kind=ActionKind.RESTART,
        executor="systemd",
        target="payments.service",
        mode=mode,
        guarantee=Guarantee.AT_MOST_ONCE,
        status=status,
        at=2.0,
        by=by,
        reason="because",
        domain="shop",
        service="payments",
        incident_id="i1",
        proposed_at=1.0,
        expires_at=9.0,
    )


def test_people_are_told_of_actions_that_need_them() -> None:
    unknown = action_item(action(ActionStatus.UNKNOWN), None)
    assert unknown is not None
    assert (unknown.severity, unknown.notice_id) == ("critical", "a1-unknown")
    assert "may have been done or not" in unknown.explanation
    asked = action_item(action(ActionStatus.PROPOSED, ActionMode.APPROVAL), incident())
    assert asked is not None
    assert "snowshed actions approve a1" in asked.explanation
    assert asked.kind == "overload"


def test_nobody_is_told_of_an_action_that_runs_by_itself() -> None:
    for status in (ActionStatus.PROPOSED, ActionStatus.APPROVED, ActionStatus.CLAIMED, ActionStatus.RUNNING):
        assert action_item(action(status), None) is None
    assert action_item(action(ActionStatus.PROPOSED, by="budget"), None) is not None


# Committing


def test_nothing_behind_a_notice_that_is_not_settled_is_committed() -> None:
    sorting = desk(route("chat", "mail"))
    for offset, name in ((4, "a"), (5, "b")):
        sorting.arrived(source(offset))
        assert sorting.take(source(offset), item(name), 1000.0) == ("chat", "mail")
    assert sorting.commits() == {PLACE: 4}
    for channel in ("chat", "mail"):
        sorting.due(channel, 1000.0)
        settled = sorting.settle(channel, SENT, 1000.0)
        assert settled is not None
        assert sorting.commits() == {}, "it does not stand in the log yet"
        sorting.recorded(channel, settled.items[0])
    assert sorting.commits() == {PLACE: 5}


def test_a_record_holds_its_partition_until_it_is_sorted() -> None:
    sorting = desk(route("chat"))
    sorting.arrived(source(4))
    sorting.arrived(source(5))
    sorting.pass_over(source(5))
    assert sorting.commits() == {PLACE: 4}
    sorting.pass_over(source(4))
    assert sorting.commits() == {PLACE: 6}


def test_a_notice_that_was_delivered_before_a_restart_is_not_delivered_again() -> None:
    memory = Memory()
    memory.take(delivery("a"))
    sorting = desk(route("chat", "mail"), memory=memory)
    sorting.arrived(source(4))
    assert sorting.take(source(4), item("a"), 1000.0) == ("mail",)


def test_a_notice_that_was_given_up_is_not_tried_again_either() -> None:
    memory = Memory()
    memory.take(delivery("a", status=DeliveryStatus.GIVEN_UP))
    sorting = desk(route("chat"), memory=memory)
    sorting.arrived(source(4))
    assert sorting.take(source(4), item("a"), 1000.0) == ()
    assert sorting.commits() == {PLACE: 5}


def test_the_same_notice_read_twice_goes_out_once_and_settles_both() -> None:
    sorting = desk(route("chat"))
    for offset in (4, 5):
        sorting.arrived(source(offset))
        sorting.take(source(offset), item("a"), 1000.0)
    assert sorting.due("chat", 1000.0) is not None
    settled = sorting.settle("chat", SENT, 1000.0)
    assert settled is not None
    sorting.recorded("chat", settled.items[0])
    assert sorting.due("chat", 1000.0) is None
    assert sorting.commits() == {PLACE: 6}


def test_an_old_notice_is_passed_over() -> None:
    sorting = desk(route("chat"))
    sorting.arrived(source(4))
    assert sorting.take(source(4), item("a"), 1000.0 + 3_601.0) == ()
    assert sorting.commits() == {PLACE: 5}


def test_an_old_notice_is_told_while_its_incident_is_open_and_its_end_where_its_beginning_was() -> None:
    memory = Memory()
    memory.take(incident("a"))
    memory.take(delivery("b"))
    sorting = desk(route("chat"), memory=memory)
    for offset, item_of in ((4, item("a")), (5, item("b", notice_id="b-closed", phase=Phase.CLOSED))):
        sorting.arrived(source(offset))
        assert sorting.take(source(offset), item_of, 1000.0 + 3_601.0) == ("chat",)


def test_partitions_that_others_read_are_forgotten() -> None:
    sorting, other = desk(route("chat")), ("notices", 1)
    for name, place in (("a", PLACE), ("b", other)):
        sorting.arrived(source(1, place))
        sorting.take(source(1, place), item(name), 1000.0)
    sorting.forget({PLACE})
    assert sorting.commits() == {other: 1}
    due = sorting.due("chat", 1000.0)
    assert due is not None
    assert [one.incident_id for one in due.items] == ["b"]


# Memory


def test_the_severity_of_an_incident_is_that_of_its_first_notice() -> None:
    memory = Memory()
    assert memory.remember(notice()) == "critical"
    assert memory.remember(notice(state="closed")) == "critical"
    restarted = Memory()
    restarted.take(delivery("overload-payments-1"))
    assert restarted.remember(notice(state="closed")) == "critical"


def test_what_is_told_of_an_action_says_nothing_of_its_incident() -> None:
    memory = Memory()
    memory.take(
        NoticeDelivery(
            notice_id="4be1-done",
            incident_id="overload-payments-1",
            channel="chat",
            severity="info",
            status=DeliveryStatus.SENT,
            at=1.0,
        )
    )
    assert memory.remember(notice()) == "critical"
    assert not memory.matters("overload-payments-1")
    assert memory.ended("overload-payments-1", "4be1-done", "chat")


def test_open_incidents_that_a_channel_was_told_of_are_remembered_until_they_close() -> None:
    memory = Memory()
    memory.take(incident("a"))
    memory.take(incident("b"))
    memory.take(delivery("a"))
    assert [(one.incident_id, severity) for one, severity in memory.open_on("chat")] == [("a", "critical")]
    assert not list(memory.open_on("mail"))
    memory.take(incident("a", status=IncidentStatus.CLOSED, closed_at=5.0))
    assert not list(memory.open_on("chat"))
    memory.forget_before(6.0)
    assert memory.incident("a") is None
    assert not memory.ended("a", "a-opened", "chat")
