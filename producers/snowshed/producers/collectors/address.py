"""Addresses of servers as URLs, read strictly and shown without their password."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from snowshed.schemas.errors import ConfigurationError

__all__ = ["Address"]

_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is and who asks."""

    scheme: str
    host: str
    port: int | None
    user: str = ""
    password: str = field(default="", repr=False)
    path: str = ""
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(cls, owner: str, text: str, schemes: Sequence[str], options: frozenset[str]) -> Address:
        """The address in a URL.

        Args:
            owner: whose address it is, for messages.
            text: the URL.
            schemes: what it may begin with.
            options: names its query may have.

        Raises:
            ConfigurationError: it is no such URL; no part of it is shown, because a typing error may have put the
                password anywhere.
        """
        parts = _split(text)
        if parts is None or parts.scheme not in schemes:
            raise ConfigurationError(
                f"{owner}: its address is no URL such as {schemes[0]}://user@host:port; special characters in a user "
                "or a password must be percent-encoded"
            )
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if unknown := sorted(query.keys() - options):
            known = ", ".join(sorted(options))
            raise ConfigurationError(f"{owner}: its address has {len(unknown)} unknown options; there are {known}")
        return cls(
            scheme=parts.scheme,
            host=parts.hostname or "localhost",
            port=parts.port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            path=unquote(parts.path.removeprefix("/")),
            options=MappingProxyType(query),
        )

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.user}@{self.host}{port}" if self.user else f"{self.host}{port}"

    def hidden(self, text: str) -> str:
        """A message of the driver without the password."""
        return text.replace(self.password, "***") if self.password else text


def _split(text: str) -> SplitResult | None:
    # An unescaped /, ? or # in a password ends the authority early; the @ that follows gives it away.
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    if "@" in f"{parts.path}{parts.query}{parts.fragment}" or parts.fragment:
        return None
    return parts if _HOST.fullmatch(parts.hostname or "localhost") else None
