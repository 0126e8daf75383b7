"""Chat: an incoming webhook in the form that Slack has made common, within its limits of size."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.consumers.notify.channels.posting import as_json, post
from snowshed.consumers.notify.message import Delivery, NoticeItem, NoticeMessage, Phase
from snowshed.consumers.outward.http import Endpoint

__all__ = ["MOST_BLOCKS", "Slack", "blocks"]

MOST_BLOCKS = 50
"""Blocks that a message may have."""
_HEADER = 150
_SECTION = 3_000
_FALLBACK = 3_000
_LISTED = 20
"""Items of a digest that are told one by one."""
_SIGNS = {Phase.OPENED: "🔴", Phase.CHANGED: "🟠", Phase.CLOSED: "🟢", Phase.ACTION: "🔧"}


@dataclass(frozen=True, slots=True)
class Slack:
    """Posts to an incoming webhook, whose address is a secret.

    Args:
        endpoint: the webhook.
    """

    endpoint: Endpoint

    def deliver(self, message: NoticeMessage, now: float) -> Delivery:
        """Post the message."""
        del now  # the text is the same in every attempt
        return post(
            self.endpoint, as_json({"text": _cut(_safe(message.title), _FALLBACK), "blocks": blocks(message)}), {}
        )


def blocks(message: NoticeMessage) -> list[dict[str, object]]:
    """A message as blocks, of which none exceeds what a receiver takes."""
    first = message.items[0]
    if len(message.items) == 1:
        heading = f"{_SIGNS[first.phase]} {message.title}"
        return [_header(heading), _section(_safe(first.text)), _code(first.explanation), _context(first)]
    listed = message.items[:_LISTED]
    found = [_header(message.title), *(_section(_line(item)) for item in listed)]
    if left := len(message.items) - len(listed):
        found.append(_section(f"… and {left} more"))
    return found


def _line(item: NoticeItem) -> str:
    return f"{_SIGNS[item.phase]} *{_safe(item.title)}* ({item.severity})\n{_safe(item.text)}"


def _header(text: str) -> dict[str, object]:
    return {"type": "header", "text": {"type": "plain_text", "text": _cut(text, _HEADER)}}


def _section(text: str) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, _SECTION)}}


def _code(text: str) -> dict[str, object]:
    inside = _cut(_safe(text).replace("```", "'''"), _SECTION - 8)
    return {"type": "section", "text": {"type": "mrkdwn", "text": f"```\n{inside}\n```"}}


def _context(item: NoticeItem) -> dict[str, object]:
    text = _cut(_safe(f"{item.domain} · {item.incident_id}"), _SECTION)
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def _safe(text: str) -> str:
    """Text in which a name from telemetry cannot become a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
