"""Any HTTP server: a signed JSON document with a key by which the server knows a repetition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import time

from snowshed.consumers.notify.channels.posting import as_json, post
from snowshed.consumers.notify.message import Delivery, NoticeItem, NoticeMessage
from snowshed.consumers.outward.http import Endpoint
from snowshed.consumers.outward.secret import Secret
from snowshed.consumers.outward.signing import HEADER, signature

__all__ = ["Webhook", "document"]


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts messages as JSON.

    Args:
        endpoint: the address.
        secret: signs what is sent; None to sign nothing.
        wall: seconds since the epoch, which the signature holds.
    """

    endpoint: Endpoint
    secret: Secret | None = None
    wall: Callable[[], float] = time

    def deliver(self, message: NoticeMessage, now: float) -> Delivery:
        """Post the message."""
        del now  # the document is the same in every attempt
        body = as_json(document(message))
        headers = {"Idempotency-Key": message.key}
        if self.secret is not None:
            headers[HEADER] = signature(self.secret, body, self.wall())
        return post(self.endpoint, body, headers)


def document(message: NoticeMessage) -> dict[str, object]:
    """A message as JSON values."""
    return {
        "key": message.key,
        "title": message.title,
        "severity": message.severity,
        "digest": message.held,
        "notices": [_notice(item) for item in message.items],
    }


def _notice(item: NoticeItem) -> dict[str, object]:
    return {
        "id": item.notice_id,
        "incident": item.incident_id,
        "domain": item.domain,
        "kind": item.kind,
        "subject": item.subject,
        "concerned": list(item.concerned),
        "severity": item.severity,
        "phase": item.phase.value,
        "title": item.title,
        "text": item.text,
        "explanation": item.explanation,
        "issued_at": item.issued_at,
        "opened_at": item.opened_at,
        "closed_at": item.closed_at,
    }
