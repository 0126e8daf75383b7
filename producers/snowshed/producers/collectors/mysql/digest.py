"""The texts that MySQL and MariaDB keep of statements that differ only in their values."""

from __future__ import annotations

__all__ = ["statement_text"]

_LISTS = (("/* , ... */", ""), ("?, ...", "?"), ("(...)", "(?)"), ("(_charset) ", ""), ("(unknown)", "?"))


def statement_text(digest_text: str) -> str:
    """A digest's text as a client might have written it: a list of values stands as one of them."""
    for shown, written in _LISTS:
        digest_text = digest_text.replace(shown, written)
    return digest_text
