from __future__ import annotations

from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers.collectors.position import SourcePosition
from snowshed.producers.collectors.postgres.lsn import lsn_bytes


@given(st.integers(0, 2**53))
def test_a_position_is_the_bytes_its_two_halves_stand_for(position: int) -> None:
    assert lsn_bytes(f"{position >> 32:X}/{position & 0xFFFFFFFF:X}") == position
    assert lsn_bytes(f"{position >> 32:x}/{position & 0xFFFFFFFF:08x}") == position


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_a_later_position_is_a_larger_number(one: int, other: int) -> None:
    texts = [f"{position >> 32:X}/{position & 0xFFFFFFFF:X}" for position in (one, other)]
    assert (lsn_bytes(texts[0]) < lsn_bytes(texts[1])) == (one < other)


def test_a_server_without_a_position_is_unknown_and_not_at_zero() -> None:
    assert isnan(lsn_bytes(None))


@pytest.mark.parametrize("text", ["", "0", "16-B374D848", "16/B374D8480", "G/0", "16/B374D848 ", "-1/0"])
def test_a_text_that_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="position"):
        lsn_bytes(text)


@given(st.lists(st.floats(0, 2**53) | st.just(nan)))
def test_a_source_never_goes_back_and_unknown_teaches_nothing(positions: list[float]) -> None:
    source, known = SourcePosition(), [position for position in positions if not isnan(position)]
    for position in positions:
        source.learn(position)
    assert source.value == max(known) if known else isnan(source.value)
