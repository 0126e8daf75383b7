"""What each channel sends, to real servers on loopback."""

from __future__ import annotations

import base64
import json
import logging
import ssl
import threading
from collections.abc import Generator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import make_certificates
from tests.support.noticing import item, message
from tests.support.receivers import HttpReceiver, MailReceiver, Received, Reply, http_receiver, mail_receiver

from snowshed.consumers.notify.channels.alertmanager import Alertmanager, alert
from snowshed.consumers.notify.channels.email import Email, composed
from snowshed.consumers.notify.channels.slack import MOST_BLOCKS, Slack, blocks
from snowshed.consumers.notify.channels.webhook import Webhook
from snowshed.consumers.notify.message import Channel, Outcome, Phase
from snowshed.consumers.outward.http import Endpoint
from snowshed.consumers.outward.secret import Secret
from snowshed.consumers.outward.signing import verified


@pytest.fixture
def receiver() -> Generator[HttpReceiver]:
    with http_receiver() as found:
        yield found


# Alertmanager


def check_postable(alerts: list[dict[str, Any]]) -> None:
    """What version 2 of Alertmanager's API asks of `postableAlerts`."""
    assert alerts
    for one in alerts:
        assert set(one) <= {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}
        for labels in (one["labels"], one.get("annotations", {})):
            assert all(isinstance(value, str) and isinstance(name, str) for name, value in labels.items())
        assert all(one["labels"].values()), "an empty label is none"
        starts, ends = (datetime.fromisoformat(one[name]) for name in ("startsAt", "endsAt"))
        assert starts <= ends


def test_alertmanager_gets_an_alert_that_lasts_until_it_is_sent_again(receiver: HttpReceiver) -> None:
    channel = Alertmanager(Endpoint(receiver.url), resend=60.0, page="http://page/", token=Secret("t0k"))
    assert channel.deliver(message(), 2000.0).outcome is Outcome.SENT
    [request] = receiver.received
    assert (request.method, request.path) == ("POST", "/api/v2/alerts")
    assert request.headers["Authorization"] == "Bearer t0k"
    check_postable(request.json)
    [found] = request.json
    assert found["labels"] == {
        "alertname": "SnowshedOverload",
        "severity": "critical",
        "domain": "shop",
        "subject": "payments",
        "incident": "overload-payments-1",
    }
    assert found["annotations"]["description"] == item().explanation
    assert datetime.fromisoformat(found["endsAt"]).timestamp() == 2000.0 + 180.0


def test_an_alert_ends_when_its_incident_does_and_keeps_its_labels() -> None:
    opened = alert(item(), now=2000.0, resend=60.0)
    closed = alert(item(phase=Phase.CLOSED, closed_at=2060.0), now=2061.0, resend=60.0)
    assert closed["labels"] == opened["labels"]
    assert datetime.fromisoformat(str(closed["endsAt"])).timestamp() == 2060.0


def test_alertmanager_gets_all_items_of_a_message_in_one_request(receiver: HttpReceiver) -> None:
    acted = item("act-1", phase=Phase.ACTION, kind="")
    assert Alertmanager(Endpoint(receiver.url)).deliver(message(item("a"), acted), 2000.0).outcome is Outcome.SENT
    [request] = receiver.received
    check_postable(request.json)
    assert [one["labels"]["alertname"] for one in request.json] == ["SnowshedOverload", "SnowshedAction"]


# Webhook


def test_a_webhook_is_signed_and_names_the_same_key_in_every_attempt(receiver: HttpReceiver) -> None:
    channel = Webhook(Endpoint(f"{receiver.url}/hook?x=1"), Secret("s3cret"), wall=lambda: 5000.0)
    for _ in range(2):
        assert channel.deliver(message(), 2000.0).outcome is Outcome.SENT
    first, second = receiver.received
    assert first.path == "/hook?x=1"
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == item().notice_id
    assert first.body == second.body
    header = first.headers["X-Snowshed-Signature"]
    assert verified(Secret("s3cret"), first.body, header, now=5010.0)
    assert not verified(Secret("other"), first.body, header, now=5010.0)
    assert not verified(Secret("s3cret"), first.body + b" ", header, now=5010.0)
    assert not verified(Secret("s3cret"), first.body, header, now=5400.0), "too old"
    assert not verified(Secret("s3cret"), first.body, header.replace("t=5000", "t=5300"), now=5400.0), "made younger"
    assert first.json["notices"][0]["explanation"] == item().explanation


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (204, Outcome.SENT),
        (400, Outcome.NEVER),
        (404, Outcome.NEVER),
        (408, Outcome.AGAIN),
        (429, Outcome.AGAIN),
        (500, Outcome.AGAIN),
        (503, Outcome.AGAIN),
    ],
)
def test_an_answer_says_whether_trying_again_may_help(receiver: HttpReceiver, status: int, outcome: Outcome) -> None:
    receiver.replies = [Reply(status, b"", {"Retry-After": "7"})]
    delivery = Webhook(Endpoint(receiver.url)).deliver(message(), 0.0)
    assert delivery.outcome is outcome
    assert outcome is Outcome.SENT or (delivery.retry_after == 7.0 and str(status) in delivery.reason)


def test_a_server_that_is_away_is_tried_again() -> None:
    delivery = Webhook(Endpoint("http://127.0.0.1:1/hook?token=abc", timeout=1.0)).deliver(message(), 0.0)
    assert delivery.outcome is Outcome.AGAIN
    assert "http://127.0.0.1:1" in delivery.reason
    assert "token" not in delivery.reason


def test_a_server_that_does_not_answer_in_time_is_tried_again(receiver: HttpReceiver) -> None:
    release = threading.Event()

    def late(_: Received) -> Reply:
        release.wait(5)
        return Reply()

    receiver.answer = late
    delivery = Webhook(Endpoint(receiver.url, timeout=0.2)).deliver(message(), 0.0)
    release.set()
    assert delivery.outcome is Outcome.AGAIN
    assert "no answer" in delivery.reason


# Chat


def texts(value: Any) -> list[str]:
    """Every string that a block shows."""
    if isinstance(value, str):
        return [value]
    inside: Any = [value[name] for name in ("text", "elements") if name in value] if isinstance(value, dict) else value
    return [text for one in inside for text in texts(one)]


def test_chat_gets_a_notice_in_blocks(receiver: HttpReceiver) -> None:
    assert Slack(Endpoint(f"{receiver.url}/services/T/B/x")).deliver(message(), 0.0).outcome is Outcome.SENT
    [request] = receiver.received
    assert request.path == "/services/T/B/x"
    assert request.json["text"] == "[critical] overload: payments (opened)"
    assert [block["type"] for block in request.json["blocks"]] == ["header", "section", "section", "context"]
    assert "decided   rate of payments" in "".join(texts(request.json["blocks"]))


def test_blocks_stay_within_what_a_receiver_takes_however_much_there_is_to_say() -> None:
    long = [item(f"n{number}", title="t" * 500, text="x" * 5_000, explanation="y" * 9_000) for number in range(200)]
    for shown in (blocks(message(long[0])), blocks(message(*long, held=True))):
        assert len(shown) <= MOST_BLOCKS
        assert all(len(text) <= 3_000 for text in texts(shown))
        assert len(texts(shown[0])[0]) <= 150
    assert "… and 180 more" in texts(blocks(message(*long)))


def test_a_name_from_telemetry_becomes_neither_mention_nor_link() -> None:
    evil = item(title="<!channel> <http://x|y>", text="<@U1>", explanation="``` <!here>")
    shown = "".join(text for block in blocks(message(evil))[1:] for text in texts(block))
    assert "<" not in shown
    assert shown.count("```") == 2


# E-mail


@pytest.fixture
def mail() -> Generator[MailReceiver]:
    with mail_receiver() as found:
        yield found


def email(server: MailReceiver, **more: Any) -> Email:
    plain = Email(host="127.0.0.1", port=server.port, sender="snowshed@example.org", to=("a@x", "b@x"), starttls=False)
    return replace(plain, **more)


def test_mails_of_an_incident_are_one_thread_and_a_repetition_has_the_same_id(mail: MailReceiver) -> None:
    channel = email(mail)
    for one in (item(), item(), item(notice_id="overload-payments-1-closed", phase=Phase.CLOSED)):
        assert channel.deliver(message(one), 2000.0).outcome is Outcome.SENT
    first, again, closed = mail.mails
    assert first["Message-ID"] == again["Message-ID"] == "<overload-payments-1-opened@example.org>"
    assert closed["Message-ID"] != first["Message-ID"]
    assert first["References"] == closed["References"] == "<incident.overload-payments-1@example.org>"
    assert first["Subject"] == "[critical] overload: payments (opened)"
    assert "decided   rate of payments" in first.get_payload()


@pytest.mark.parametrize(("answer", "outcome"), [("451 later", Outcome.AGAIN), ("554 never", Outcome.NEVER)])
def test_a_mail_server_says_whether_trying_again_may_help(mail: MailReceiver, answer: str, outcome: Outcome) -> None:
    mail.refusals = [answer]
    delivery = email(mail).deliver(message(), 0.0)
    assert (delivery.outcome, answer[:3] in delivery.reason) == (outcome, True)


def test_a_mail_server_that_is_away_is_tried_again() -> None:
    channel = Email(host="127.0.0.1", port=1, sender="s@x", to=("a@x",), timeout=1.0)
    assert channel.deliver(message(), 0.0).outcome is Outcome.AGAIN


def test_a_title_with_line_breaks_stays_one_header() -> None:
    mail = composed(message(item(title="a\r\nBcc: evil@x")), sender="s@x", to=("a@x",), now=0.0)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "[critical] a Bcc: evil@x"


def test_nothing_is_said_before_the_connection_is_encrypted(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "broker.pem")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with mail_receiver(server) as found:
        encrypted = email(found, starttls=True, user="u", password=Secret("p"), context=trusting)
        assert encrypted.deliver(message(), 0.0).outcome is Outcome.SENT
        assert found.encrypted == [True]
        assert base64.b64decode(found.logins[0]) == b"\0u\0p"
        stranger = email(found, starttls=True, user="u", password=Secret("p"))
        assert stranger.deliver(message(), 0.0).outcome is Outcome.AGAIN
        assert len(found.mails) == len(found.logins) == 1, "a server that proves nothing hears no password"


# Secrets


def test_no_secret_shows_in_what_is_logged_or_reported(
    receiver: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = Secret("hunter2", "env:X")
    receiver.replies = [Reply(400, b"no")] * 3
    url = f"{receiver.url}/services/hunter2"
    channels: list[Channel] = [
        Webhook(Endpoint(url), secret),
        Slack(Endpoint(url)),
        Alertmanager(Endpoint(url), token=secret),
    ]
    said = [repr(channel) + channel.deliver(message(), 0.0).reason for channel in channels]
    assert "hunter2" not in "".join(said) + caplog.text + json.dumps(said)
