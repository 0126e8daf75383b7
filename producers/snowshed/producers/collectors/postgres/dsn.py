"""Connection strings as they may be shown: never a password, not even a piece of a malformed one."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["HIDDEN", "redact"]

HIDDEN = "***"
"""Stands for a connection string that cannot be shown safely."""

_PAIR = re.compile(r"\s*(\w+)\s*=\s*(?:'((?:\\.|[^'\\])*)'|((?:\\.|[^\s'\\])*))(?=\s|$)")
_HOSTS = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])?(?::\d*)?(?:,(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])?(?::\d*)?)*")
_PLAIN = re.compile(r"[\w./ -]*")


def redact(dsn: str) -> str:
    """Where a libpq connection string leads, as `user@host:port/database`; `***` if it has an unusual form.

    Only what was recognised is shown, because what a typing error turns a password into cannot be foreseen.
    """
    parts = _uri_parts(dsn) if re.match(r"postgres(?:ql)?://", dsn) else _keyword_parts(dsn)
    if parts is None:
        return HIDDEN
    user, hosts, database = parts
    if not (_PLAIN.fullmatch(user) and _HOSTS.fullmatch(hosts) and _PLAIN.fullmatch(database)):
        return HIDDEN
    return f"{user}@{hosts}/{database}" if user else f"{hosts}/{database}"


def _uri_parts(dsn: str) -> tuple[str, str, str] | None:
    # An unescaped /, ? or # in a password ends the authority early; the @ that follows gives it away.
    try:
        uri = urlsplit(dsn)
    except ValueError:
        return None
    if "@" in f"{uri.path}{uri.query}{uri.fragment}" or uri.fragment:
        return None
    credentials, _, hosts = uri.netloc.rpartition("@")
    query = dict(parse_qsl(uri.query))
    user = unquote(credentials.partition(":")[0]) or query.get("user", "")
    return user, hosts or query.get("host", ""), unquote(uri.path).removeprefix("/")


def _keyword_parts(dsn: str) -> tuple[str, str, str] | None:
    end, parts = 0, dict[str, str]()
    while match := _PAIR.match(dsn, end):
        parts[match[1]] = match[2] if match[2] is not None else match[3]
        end = match.end()
    if dsn[end:].strip() or not parts:
        return None
    port = f":{parts['port']}" if "port" in parts else ""
    host = parts.get("host", parts.get("hostaddr", ""))
    return parts.get("user", ""), f"{'' if host.startswith('/') else host}{port}", parts.get("dbname", "")
