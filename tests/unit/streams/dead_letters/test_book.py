"""What a run of records on the dead letters' topic amounts to."""

from __future__ import annotations

import pytest

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import DeadLetter, Notice
from snowshed.streams.dead_letters.book import Book, Entry, Filter, Stood, grouped, mark_headers, moment

CODEC = Codec()
NAME = "snowshed.heartbeats-1-7"


def letter(offset: int = 7, *, rejected_at: float = 10.0, error: str = "Truncated", held: int = 3) -> DeadLetter:
    return DeadLetter(
        topic="snowshed.heartbeats",
        partition=1,
        offset=offset,
        timestamp=9.0,
        key=b"k",
        value=b"v" * held,
        error=error,
        reason="it ends inside a field",
        rejected_at=rejected_at,
        key_size=1,
        value_size=3,
    )


def stood(at: int, value: bytes | None, key: str = NAME, headers: tuple[tuple[str, bytes | None], ...] = ()) -> Stood:
    return Stood(2, at, key.encode(), value, headers)


def mark(at: int, key: str = NAME) -> Stood:
    headers = tuple((name, value) for name, value in mark_headers(12.5, "snowshed.heartbeats[1]"))
    return Stood(2, at, key.encode(), None, headers)  # type: ignore[arg-type]  # these are all bytes


def book(*records: Stood) -> Book:
    made = Book(CODEC)
    for record in records:
        made.add(record)
    return made


def test_a_letter_is_known_by_its_key_and_told_without_its_bytes() -> None:
    entry = book(stood(5, CODEC.encode(letter()))).named(NAME)
    assert (entry.partition, entry.offset, entry.topic, entry.size) == (2, 5, "snowshed.heartbeats", 3)
    assert (entry.cut, entry.retried_at, entry.retried_to) == (False, None, "")


def test_a_letter_that_holds_less_than_its_record_had_is_cut() -> None:
    entry = book(stood(5, CODEC.encode(letter(held=2)))).named(NAME)
    assert (entry.cut, entry.size) == (True, 3)


def test_a_mark_says_when_and_where_its_letters_record_was_put_back() -> None:
    entry = book(stood(5, CODEC.encode(letter())), mark(6)).named(NAME)
    assert (entry.retried_at, entry.retried_to) == (12.5, "snowshed.heartbeats[1]")


def test_a_mark_counts_for_the_letter_before_it_only() -> None:
    raw = CODEC.encode(letter())
    assert book(mark(4), stood(5, raw)).named(NAME).retried_at is None
    assert book(stood(4, raw), mark(5), stood(6, raw)).named(NAME).retried_at is None


def test_what_is_neither_a_letter_nor_a_mark_is_counted_and_left_alone() -> None:
    notice = Notice(notice_id="", incident_id="", domain="", severity="", title="", text="", issued_at=0.0)
    damaged = stood(4, None, headers=(("snowshed-retried-at", b"?"),))
    found = book(stood(1, b"junk"), stood(2, CODEC.encode(notice)), stood(3, None), damaged)
    assert (found.foreign, found.matching(Filter())) == (4, [])


def test_an_unknown_id_is_answered_with_the_newest_ones() -> None:
    with pytest.raises(ConfigurationError, match=f"no letter 'x'.*newest are: {NAME}"):
        book(stood(5, CODEC.encode(letter()))).named("x")


def three() -> Book:
    return book(
        stood(1, CODEC.encode(letter(1, rejected_at=30.0)), "c"),
        stood(2, CODEC.encode(letter(2, rejected_at=10.0, error="ValueError")), "a"),
        stood(3, CODEC.encode(letter(3, rejected_at=20.0)), "b"),
        mark(4, "b"),
    )


def ids(entries: list[Entry]) -> str:
    return "".join(entry.id for entry in entries)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), "abc"),
        (Filter(topic="heartbeats"), "abc"),
        (Filter(topic="snowshed.heartbeats"), "abc"),
        (Filter(topic="beats"), ""),
        (Filter(error="valueerror"), "a"),
        (Filter(since=20.0), "bc"),
        (Filter(error="Truncated", since=25.0), "c"),
    ],
)
def test_letters_that_are_meant_come_newest_last(wanted: Filter, found: str) -> None:
    assert ids(three().matching(wanted)) == found


def test_without_ids_those_that_were_retried_are_not_chosen_unless_asked_for() -> None:
    assert ids(three().chosen([], Filter(), again=False)) == "ac"
    assert ids(three().chosen([], Filter(), again=True)) == "abc"
    assert ids(three().chosen(["b", "a", "b"], Filter(), again=False)) == "ba"


def test_a_run_of_letters_is_bounded_by_count_and_by_size() -> None:
    entries = three().matching(Filter())
    assert [ids(group) for group in grouped(entries, count=2, size=100)] == ["ab", "c"]
    assert [ids(group) for group in grouped(entries, count=9, size=6)] == ["ab", "c"]
    assert [ids(group) for group in grouped(entries, count=9, size=1)] == ["a", "b", "c"]
    assert grouped([], count=9, size=9) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 1_000_000 - 90),
        ("1.5h", 1_000_000 - 5_400),
        ("7d", 1_000_000 - 604_800),
        ("1970-01-02", 86_400),
        ("1970-01-01T01:00", 3_600),
        ("1970-01-01T01:00+01:00", 0),
    ],
)
def test_a_time_is_how_long_ago_or_a_date(text: str, seconds: float) -> None:
    assert moment(text, 1_000_000.0) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-3h", "5 weeks", "nan"])
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no time: give how long ago"):
        moment(text, 0.0)
