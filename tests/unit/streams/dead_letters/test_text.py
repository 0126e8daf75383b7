"""Bytes as people read them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.dead_letters.text import as_text, hex_dump, shown


def test_text_is_text_and_what_would_steer_a_terminal_is_not() -> None:
    assert as_text("zwölf\n\tParsec".encode()) == "zwölf\n\tParsec"
    assert as_text(b"\xff") is None
    assert as_text(b"\x1b[2J") is None


def test_a_dump_has_offset_bytes_and_characters() -> None:
    assert list(hex_dump(b"\x00ABCDEFGHIJKLMNO~\x7f")) == [
        "00000000  00 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f  .ABCDEFGHIJKLMNO",
        "00000010  7e 7f                                            ~.",
    ]


@given(st.binary(max_size=200))
def test_a_dump_holds_every_byte(raw: bytes) -> None:
    assert bytes.fromhex("".join(line[10:57] for line in hex_dump(raw))) == raw


def test_what_is_left_out_is_counted() -> None:
    assert shown(b"abcdef", 4) == "abcd\n… 2 bytes more"
    assert shown(b"abcd", 4) == "abcd"
