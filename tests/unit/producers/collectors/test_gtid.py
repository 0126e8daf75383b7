from __future__ import annotations

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers.collectors.mysql.gtid import transactions

_UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0-1-270", 270),
        ("0-1-270,1-2-33", 303),
        (f"{_UUID}:1-270", 270),
        (f"{_UUID}:1-270:272", 271),
        (f"{_UUID}:1-5,\n{_UUID}:7-9", 8),
        (f"{_UUID}:billing:1-3", 3),
    ],
)
def test_a_set_of_ids_counts_its_transactions(text: str, count: float) -> None:
    assert transactions(text) == count


@pytest.mark.parametrize("text", [None, "", " "])
def test_a_server_without_ids_has_no_position(text: str | None) -> None:
    assert isnan(transactions(text))


@pytest.mark.parametrize("text", ["270", "a-b-c", "0-1", "0-1-x"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        transactions(text)


@given(st.integers(1, 10**9), st.integers(0, 10**6))
def test_one_more_transaction_is_one_more(number: int, more: int) -> None:
    assert transactions(f"0-1-{number + more}") - transactions(f"0-7-{number}") == more
