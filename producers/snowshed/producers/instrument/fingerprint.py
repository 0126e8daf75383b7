"""Recognises database statements that differ only in their values, layout or case.

Works on the tokens common to SQL dialects, in time linear in the statement's length, and never fails: what is not
understood is kept as it is. Placeholders and literals are the same, and so are words that a server's statistics do not
tell apart, so that a client's statement and the one that those show have one fingerprint.
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
    | (?P<name> "(?:[^"]++|"")*+"? | `(?:[^`]++|``)*+`? )
    | (?P<word> [^\W\d][\w$]*+ )
    | (?P<sign> :: | <> | != | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN_NAME = re.compile(r"`([^\W\d][\w$]*+)`")
# MySQL's and MariaDB's digests show one of several spellings of a word, these for those on the right.
_SPELLINGS = {
    "<>": "!=",
    "any": "some",
    "character": "char",
    "current_date": "curdate",
    "current_time": "curtime",
    "current_timestamp": "now",
    "distinctrow": "distinct",
    "integer": "int",
    "localtime": "now",
    "localtimestamp": "now",
    "mid": "substring",
    "regexp": "rlike",
    "schema": "database",
    "std": "stddev_pop",
    "stddev": "stddev_pop",
    "substr": "substring",
    "varcharacter": "varchar",
    "variance": "var_pop",
    **{f"sql_tsi_{unit}": unit for unit in ("second", "minute", "hour", "day", "week", "month", "quarter", "year")},
}
_CONSTANT = re.compile(r"(?<![^ ])(?<!is )(?<!not )(?:null|true|false)(?![^ ])")
_SIGNED = re.compile(
    r"(^|(?<![^ ])(?:[(,=<>*/%]|!=|and|or|between|when|then|else|select|values|limit|interval) )(?:[-+] )++\?"
)
_VALUES = re.compile(r"(?<![^ ])\?(?: , \?)++(?![^ ])")
_REPEATED_ROW = re.compile(r"(\( (?:[^()]++|\([^()]*+\))*+\))(?: , \1)+")
_KIND = re.compile(r"(?:\s++|--[^\n]*+|/\*(?:.*?\*/|.*+)|\()*+([A-Za-z]++)", re.DOTALL)


def normalise(statement: str) -> str:
    """The statement with `?` for every value, one space between tokens and words in lower case.

    NULL, TRUE and FALSE are values but for IS NULL and the like, names in backticks are words, and semicolons at the
    end are dropped. Values one after the other and repeated rows of VALUES shrink to one; what lies beyond 20 000
    characters is ignored.
    """
    parts: list[str] = []
    for token in _TOKEN.finditer(statement[:_LONGEST]):
        kind = token.lastgroup
        if kind in {"value", "tag"}:
            parts.append("?")
        elif kind != "skip":
            parts.append(_word(token[0], kind))
    while parts and parts[-1] == ";":
        parts.pop()
    text = _SIGNED.sub(r"\1?", _CONSTANT.sub("?", " ".join(parts)))
    return _REPEATED_ROW.sub(r"\1", _VALUES.sub("?", text))


def _word(text: str, kind: str | None) -> str:
    """A word, a name or a sign in its normal form; names in double quotes may be case-sensitive."""
    if kind == "name":
        plain = _PLAIN_NAME.fullmatch(text)
        if plain is None:
            return text
        text = plain[1]
    lower = text.translate(_LOWER)
    return _SPELLINGS.get(lower, lower)


@lru_cache(_CACHED)
def fingerprint(statement: str) -> str:
    """16 hexadecimal digits that are the same for statements with the same normal form."""
    return blake2b(normalise(statement).encode(errors="replace"), digest_size=8).hexdigest()


@lru_cache(_CACHED)
def statement_kind(statement: str) -> str:
    """The statement's first word in upper case, such as SELECT; OTHER if it has none."""
    match = _KIND.match(statement[:_LONGEST])
    return match[1].upper()[:20] if match else "OTHER"
