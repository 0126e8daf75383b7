"""Dead letters that differ from what the journal tells of: with their records' headers, or cut to what a topic takes.

A batch's digest is taken over plain letters, which follow from the key and value of a record alone. So a replay, whose
recording has no headers and whose topics refuse nothing, comes to the same digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import DeadLetter
from snowshed.schemas.topics import MAX_RECORD_BYTES
from snowshed.streams.transactions.producer import Write

__all__ = ["Headers", "Letters", "bounded", "cut"]

Headers = Sequence[tuple[str, bytes | None]]

_REST_BYTES = 64 * 1024
"""Room for what a letter has beside its record's key and value."""
_CUT_VALUE_BYTES = 64 * 1024
_CUT_KEY_BYTES = 4 * 1024
_CUT_HEADER_BYTES = 16 * 1024


def bounded(letter: DeadLetter) -> DeadLetter:
    """The letter, cut if its record is larger than the largest record that is ever written."""
    fits = len(letter.key or b"") + len(letter.value or b"") <= MAX_RECORD_BYTES - _REST_BYTES
    return letter if fits else cut(letter)


def cut(letter: DeadLetter) -> DeadLetter:
    """The letter with the beginning of its record; its sizes tell how much there was, its origin holds the rest."""
    headers = sum(map(len, letter.header_names)) + sum(map(len, letter.header_values))
    kept = headers <= _CUT_HEADER_BYTES
    return replace(
        letter,
        key=None if letter.key is None else letter.key[:_CUT_KEY_BYTES],
        value=None if letter.value is None else letter.value[:_CUT_VALUE_BYTES],
        header_names=letter.header_names if kept else (),
        header_values=letter.header_values if kept else (),
    )


@dataclass(frozen=True, slots=True)
class Letters:
    """A batch's dead letters."""

    plain: tuple[DeadLetter, ...]
    """As they follow from the records' keys and values."""
    posted: tuple[DeadLetter, ...]
    """As they are written."""

    @classmethod
    def with_headers(cls, plain: Iterable[DeadLetter], found: Mapping[int, Headers]) -> Letters:
        """Letters with their records' headers, as far as these were found by their offsets."""
        letters = tuple(plain)
        return cls(letters, tuple(_with_headers(letter, found.get(letter.offset, ())) for letter in letters))

    def cut(self) -> Letters:
        """The same letters, written with the beginnings of their records."""
        return Letters(self.plain, tuple(cut(letter) for letter in self.posted))

    def post(self, outputs: tuple[Write, ...], codec: Codec) -> tuple[Write, ...]:
        """A batch's outputs, of which the last are the plain letters, with the letters as they are to be written."""
        first = len(outputs) - len(self.posted)
        trios = zip(outputs[first:], self.plain, self.posted, strict=True)
        return (
            *outputs[:first],
            *(write if to is plain else write._replace(value=codec.encode(to)) for write, plain, to in trios),
        )


def _with_headers(letter: DeadLetter, headers: Headers) -> DeadLetter:
    if not headers:
        return letter
    names, values = tuple(name for name, _ in headers), tuple(value or b"" for _, value in headers)
    return replace(letter, header_names=names, header_values=values)
