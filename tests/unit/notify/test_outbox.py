"""When a message goes out on a channel, and when it is given up."""

from __future__ import annotations

from itertools import pairwise

from tests.support.noticing import item

from snowshed.consumers.notify.message import Delivery, NoticeMessage, Outcome
from snowshed.consumers.notify.outbox import Limits, Outbox

SENT = Delivery(Outcome.SENT)
AGAIN = Delivery(Outcome.AGAIN, "HTTP 503")


def filled(*names: str, at: float = 0.0, **limits: object) -> Outbox:
    outbox = Outbox(Limits(**limits))  # type: ignore[arg-type]
    for name in names:
        outbox.add(item(name), at)
    return outbox


def names(message: NoticeMessage | None) -> list[str]:
    return [] if message is None else [one.incident_id for one in message.items]


def test_a_notice_goes_out_at_once_and_alone() -> None:
    outbox = filled("a", "b")
    assert names(outbox.due(0.0)) == ["a"]
    assert outbox.due(0.0) is None, "one message is under way"
    settled = outbox.settle(SENT, 0.1)
    assert settled is not None
    assert [one.incident_id for one in settled.items] == ["a"]
    assert names(outbox.due(0.1)) == ["b"]


def test_what_comes_within_the_wait_goes_out_with_its_group() -> None:
    outbox = filled("a", "b", group_by=("domain",), group_wait=5.0)
    outbox.add(item("c", domain="other"), 1.0)
    assert outbox.due(4.9) is None
    assert names(outbox.due(5.0)) == ["a", "b"]
    outbox.settle(SENT, 5.0)
    assert names(outbox.due(5.9)) == []
    assert names(outbox.due(6.0)) == ["c"]


def test_what_exceeds_the_rate_is_held_back_and_told_in_one_digest() -> None:
    outbox = filled("a", "b", "c", "d", count=2, per=60.0)
    for now in (0.0, 1.0):
        assert len(names(outbox.due(now))) == 1
        outbox.settle(SENT, now)
    assert outbox.due(59.9) is None
    digest = outbox.due(60.0)
    assert digest is not None
    assert digest.held
    assert names(digest) == ["c", "d"]
    assert "2 notices held back" in digest.title


def test_a_failed_message_is_tried_again_unchanged_after_growing_pauses() -> None:
    outbox = filled("a")
    first, now, pauses = outbox.due(0.0), 0.0, list[float]()
    for _ in range(8):
        outbox.settle(AGAIN, now)
        tried = now
        while (message := outbox.due(now)) is None:
            now += 0.05
        assert message is first
        pauses.append(now - tried)
    assert pauses[0] < 1.2
    assert 1.7 < pauses[1] < 2.4
    assert all(later > earlier * 0.9 for earlier, later in pairwise(pauses))
    assert max(pauses) < 67.0


def test_what_comes_while_a_message_fails_is_told_in_one_digest_after_it() -> None:
    outbox = filled("a")
    outbox.due(0.0)
    outbox.settle(AGAIN, 0.0)
    outbox.add(item("b"), 0.1)
    outbox.add(item("c"), 0.2)
    assert names(outbox.due(2.0)) == ["a"]
    outbox.settle(SENT, 2.0)
    assert names(outbox.due(2.0)) == ["b", "c"]


def test_a_receiver_is_left_alone_for_as_long_as_it_asks() -> None:
    outbox = filled("a")
    outbox.due(0.0)
    outbox.settle(Delivery(Outcome.AGAIN, "HTTP 429", retry_after=30.0), 0.0)
    assert outbox.due(29.9) is None
    assert names(outbox.due(30.0)) == ["a"]


def test_a_message_that_is_refused_is_given_up_at_once() -> None:
    outbox = filled("a", "b")
    outbox.due(0.0)
    settled = outbox.settle(Delivery(Outcome.NEVER, "HTTP 403"), 0.0)
    assert settled is not None
    assert settled.reason == "HTTP 403"
    assert names(outbox.due(0.0)) == ["b"]


def test_a_message_that_cannot_be_delivered_for_too_long_is_given_up_with_what_was_tried() -> None:
    outbox = filled("a", give_up=10.0)
    now, settled = 0.0, None
    while settled is None:
        now += 0.1
        if outbox.due(now) is not None:
            settled = outbox.settle(AGAIN, now)
    assert now >= 10.0
    assert settled.reason.startswith("HTTP 503 (")
    assert "attempts in" in settled.reason
    assert outbox.idle


def test_what_others_deliver_from_now_on_is_dropped_but_what_is_being_sent_is_not() -> None:
    outbox = filled("a", "b", "c")
    outbox.due(0.0)
    outbox.forget(lambda one: one.incident_id != "c")
    settled = outbox.settle(SENT, 0.0)
    assert settled is not None
    assert [one.incident_id for one in settled.items] == ["a"]
    assert names(outbox.due(0.0)) == ["c"]


def test_a_message_that_waits_for_its_next_attempt_is_dropped_with_its_partition() -> None:
    outbox = filled("a")
    outbox.due(0.0)
    outbox.settle(AGAIN, 0.0)
    outbox.forget(lambda one: one.incident_id == "a")
    assert outbox.idle


def test_the_key_of_a_message_follows_from_its_notices() -> None:
    assert NoticeMessage(items=(item("a"),)).key == "a-opened"
    two = NoticeMessage(items=(item("a"), item("b")))
    assert two.key == NoticeMessage(items=(item("a"), item("b")), held=True).key
    assert two.key != NoticeMessage(items=(item("a"), item("c"))).key
