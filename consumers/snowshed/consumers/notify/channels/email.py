"""E-mail: one message a notice, the notices of an incident in one thread."""

from __future__ import annotations

import re
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from snowshed.consumers.notify.message import Delivery, NoticeMessage, Outcome
from snowshed.consumers.outward.secret import Secret

__all__ = ["Email", "composed"]

_SUBJECT = 200
_NO_ATOM = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """Hands messages to a mail server.

    Args:
        host: the server.
        port: its port.
        sender: who sends.
        to: who receives.
        starttls: whether the connection must be encrypted before anything is said.
        user: who logs in; empty not to.
        password: with what.
        timeout: seconds for each step.
        context: how the server proves itself; the system's own rules where it is None.
    """

    host: str
    port: int = 587
    sender: str
    to: tuple[str, ...]
    starttls: bool = True
    user: str = ""
    password: Secret | None = None
    timeout: float = 10.0
    context: ssl.SSLContext | None = None

    def deliver(self, message: NoticeMessage, now: float) -> Delivery:
        """Send the message."""
        mail = composed(message, sender=self.sender, to=self.to, now=now)
        try:
            self._send(mail)
        except smtplib.SMTPResponseException as error:
            return self._refused(error.smtp_code, error.smtp_error)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            return self._refused(code, text)
        except (OSError, smtplib.SMTPException) as error:
            return Delivery(Outcome.AGAIN, f"{self.host}:{self.port}: {type(error).__name__}: {error}")
        return Delivery(Outcome.SENT)

    def _send(self, mail: EmailMessage) -> None:
        server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        try:
            self._enter(server)
            server.send_message(mail)
        finally:
            # The message is taken by now, or refused: how the server says goodbye changes nothing.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()

    def _enter(self, server: smtplib.SMTP) -> None:
        if self.starttls:
            server.starttls(context=self.context or ssl.create_default_context())
        if self.user and self.password is not None:
            server.login(self.user, self.password.reveal())

    def _refused(self, code: int, text: bytes | str) -> Delivery:
        """A code of 4xx is for now, one of 5xx for good (RFC 5321, 4.2.1)."""
        said = text.decode(errors="replace") if isinstance(text, bytes) else text
        outcome = Outcome.NEVER if code >= 500 else Outcome.AGAIN
        return Delivery(outcome, f"{self.host}:{self.port} answered {code} {said}")


def composed(message: NoticeMessage, *, sender: str, to: tuple[str, ...], now: float) -> EmailMessage:
    """A message as an e-mail whose `Message-ID` follows from its notices, so that a repetition is known as one."""
    mail = EmailMessage()
    domain = sender.rpartition("@")[2].strip("> ") or "localhost"
    first = message.items[0]
    mail["From"], mail["To"] = sender, ", ".join(to)
    mail["Subject"] = " ".join(message.title.split())[:_SUBJECT]
    mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    mail["Message-ID"] = _id(message.key, domain)
    if len(message.items) == 1:
        thread = _id(f"incident.{first.incident_id}", domain)
        mail["In-Reply-To"], mail["References"] = thread, thread
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Snowshed-Incident"] = _NO_ATOM.sub("-", first.incident_id)
    mail.set_content("\n\n".join(f"{item.title}\n{item.text}\n\n{item.explanation}" for item in message.items))
    return mail


def _id(name: str, domain: str) -> str:
    return f"<{_NO_ATOM.sub('-', name)}@{domain}>"
