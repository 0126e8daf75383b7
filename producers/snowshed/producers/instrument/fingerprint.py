"""Recognises database statements that differ only in their values, layout or case.

Works on the tokens common to SQL dialects, in time linear in the statement's length, and never fails: what is not
understood is kept as it is. Placeholders and literals are the same, so that a client's statement and the one that a
server's statistics show have one fingerprint.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from string import ascii_lowercase, ascii_uppercase

__all__ = ["fingerprint", "normalise", "statement_kind"]

_LONGEST = 20_000
# Only ASCII: databases agree on no other folding, and lowering some letters makes two of one.
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_CACHED = 1_024

# The possessive quantifiers (++, *+) keep damaged or hostile text from being scanned more than once. A quote, comment
# or dollar tag that is never closed takes the rest of the statement, for the same reason.
_TOKEN = re.compile(
    r"""
      (?P<skip> \s++ | --[^\n]*+ | /\*(?:.*?\*/|.*+) )
    | (?P<value>
          [eE]'(?:[^'\\]++|\\.|'')*+(?:'|\\?\Z)
        | [bBxXnN]?'(?:[^']++|'')*+'?
        | \$(?P<tag>(?:[A-Za-z_]\w*+)?)\$(?:.*?\$(?P=tag)\$|.*+)
        | \$\d++ | %s | %\(\w++\)s | (?<!:):[A-Za-z_]\w*+ | \?
        | 0[xX][0-9A-Fa-f]++ | (?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][+-]?\d++)?+
      )
    | (?P<name> "(?:[^"]++|"")*+"? | `[^`]*+`? )
    | (?P<word> [^\W\d][\w$]*+ )
    | (?P<sign> :: | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_LIST = re.compile(r"\bin \( \?(?: , \?)++ \)")
_REPEATED_ROW = re.compile(r"(\( [^()]*+\))(?: , \1)+")
_KIND = re.compile(r"(?:\s++|--[^\n]*+|/\*(?:.*?\*/|.*+)|\()*+([A-Za-z]++)", re.DOTALL)


def normalise(statement: str) -> str:
    """The statement with `?` for every value, one space between tokens and words in lower case.

    Lists after IN and repeated rows of VALUES shrink to one; what lies beyond 20 000 characters is ignored.
    """
    parts: list[str] = []
    for token in _TOKEN.finditer(statement[:_LONGEST]):
        kind = token.lastgroup
        if kind == "word":
            parts.append(token[0].translate(_LOWER))
        elif kind in {"value", "tag"}:
            parts.append("?")
        elif kind != "skip":
            parts.append(token[0])
    text = " ".join(parts)
    return _REPEATED_ROW.sub(r"\1", _IN_LIST.sub("in ( ? )", text))


@lru_cache(_CACHED)
def fingerprint(statement: str) -> str:
    """16 hexadecimal digits that are the same for statements with the same normal form."""
    return blake2b(normalise(statement).encode(errors="replace"), digest_size=8).hexdigest()


@lru_cache(_CACHED)
def statement_kind(statement: str) -> str:
    """The statement's first word in upper case, such as SELECT; OTHER if it has none."""
    match = _KIND.match(statement[:_LONGEST])
    return match[1].upper()[:20] if match else "OTHER"
