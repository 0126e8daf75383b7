"""Letters as they follow from a record, and as they are written."""

from __future__ import annotations

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import Truncated
from snowshed.schemas.topics import MAX_RECORD_BYTES
from snowshed.streams.folding import Message
from snowshed.streams.transactions.letters import Letters, cut
from snowshed.streams.transactions.plan import dead_letter
from snowshed.streams.transactions.producer import Write

CODEC = Codec()
CUT = 64 * 1024
HEADERS = [("a", b"1"), ("b", None)]


def test_a_letter_holds_its_record_and_says_how_large_it_was() -> None:
    letter = dead_letter("t", 1, Message(7, 3.0, b"key", b"value"), Truncated("it ends"), 4.0)
    assert (letter.key, letter.value, letter.key_size, letter.value_size, letter.cut) == (b"key", b"value", 3, 5, False)
    assert (letter.error, letter.reason) == ("Truncated", "t[1]@7: it ends")


def test_a_record_without_key_and_value_is_not_taken_for_cut() -> None:
    letter = dead_letter("t", 1, Message(7, 3.0, None, None), ValueError("none"), 4.0)
    assert (letter.key, letter.value, letter.cut, cut(letter)) == (None, None, False, letter)


def test_what_no_topic_takes_is_cut_and_still_encodes_into_what_every_topic_takes() -> None:
    huge = MAX_RECORD_BYTES + 1
    for key, value in ((b"k", b"v" * huge), (b"k" * huge, b"v"), (b"k" * huge, b"v" * huge)):
        letter = dead_letter("t", 1, Message(7, 3.0, key, value), ValueError("x" * huge), 4.0)
        assert letter.cut
        assert (letter.key_size, letter.value_size) == (len(key), len(value))
        assert letter.value == value[:CUT]
        assert len(CODEC.encode(letter)) < 100_000


def test_a_letter_that_is_not_cut_fits_into_the_largest_record() -> None:
    size = MAX_RECORD_BYTES - 64 * 1024
    letter = dead_letter("t", 1, Message(7, 3.0, b"", b"v" * size), ValueError("ä" * 9_000), 4.0)
    assert not letter.cut
    assert len(CODEC.encode(letter)) < MAX_RECORD_BYTES - 10_000


def test_headers_are_found_by_offset_and_null_becomes_empty() -> None:
    plain = [dead_letter("t", 1, Message(offset, 3.0, None, b"v"), ValueError(""), 4.0) for offset in (7, 8)]
    letters = Letters.with_headers(plain, {8: HEADERS})
    assert [letter.header_names for letter in letters.posted] == [(), ("a", "b")]
    assert letters.posted[1].header_values == (b"1", b"")
    assert letters.plain == tuple(plain)


def test_headers_too_large_for_a_cut_letter_are_left_to_the_origin() -> None:
    plain = [dead_letter("t", 1, Message(7, 3.0, None, b"v"), ValueError(""), 4.0)]
    assert Letters.with_headers(plain, {7: [("a", b"x" * 20_000)]}).cut().posted[0].header_names == ()
    assert Letters.with_headers(plain, {7: HEADERS}).cut().posted[0].header_names == ("a", "b")


def test_letters_take_the_places_of_the_plain_ones_behind_the_other_outputs() -> None:
    plain = [dead_letter("t", 1, Message(offset, 3.0, None, b"v"), ValueError(""), 4.0) for offset in (7, 8)]
    writes = tuple(Write("out", -1, b"%d" % number, CODEC.encode(letter), []) for number, letter in enumerate(plain))
    outputs = (Write("out", -1, b"first", b"output", []), *writes)
    letters = Letters.with_headers(plain, {8: HEADERS})
    posted = letters.post(outputs, CODEC)
    assert posted[:2] == outputs[:2]
    assert (posted[2].key, posted[2].value) == (b"1", CODEC.encode(letters.posted[1]))
    assert Letters((), ()).post(outputs, CODEC) == outputs
