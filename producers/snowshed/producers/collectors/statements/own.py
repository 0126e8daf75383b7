"""How a collector's own statements are told from its users'."""

from __future__ import annotations

__all__ = ["OWN_MARK", "marked"]

OWN_MARK = "/* snowshed */"
"""Stands in every statement of a session, after the first word because some statistics drop what leads."""


def marked(statement: str) -> str:
    """The statement with the mark; one of a single word stays as it is."""
    verb, space, rest = statement.partition(" ")
    return f"{verb}{space}{OWN_MARK if rest else ''}{space}{rest}"
