"""Whether a worker does its work: its lanes are open, and its group has settled with it."""

from __future__ import annotations

import ipaddress

import aiohttp

from snowshed.streams.supervision.child import Child
from snowshed.streams.supervision.link import GroupLink

__all__ = ["page_url", "ready"]

_PROBE = aiohttp.ClientTimeout(total=2.0)


async def ready(child: Child | None, page: str, link: GroupLink | None) -> bool:
    """Whether the worker does its work.

    Args:
        child: its process, None while it has none.
        page: where it serves its page.
        link: asks the group; None to rely on what the worker says of its lanes.
    """
    if child is None or (member := child.membership) is None or not member.member_id:
        return False
    return (link is None or await link.settled(member)) and await _answers(f"{page}readyz")


def page_url(host: str, port: int) -> str:
    """Where this machine reaches the page of a worker that listens there."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}/"
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://[{address}]:{port}/" if address.version == 6 else f"http://{address}:{port}/"


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession(timeout=_PROBE) as session, session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
