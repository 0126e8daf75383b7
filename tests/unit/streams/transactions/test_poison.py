"""The search for the record that breaks a batch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.transactions.poison import MAX_ATTEMPTS, Retry


def bury(batch: list[bool]) -> tuple[list[int], int]:
    """Run the lane's procedure over records of which some are poisonous; the buried ones and the tries it took."""
    waiting, buried, tries = list(enumerate(batch)), list[int](), 0
    retry = Retry(len(waiting))
    while waiting:
        tries += 1
        part = waiting[: retry.size]
        if not any(poison for _, poison in part):
            waiting = waiting[len(part) :]
            retry = Retry(len(waiting))
        elif retry.isolated:
            buried.append(waiting.pop(0)[0])
            retry = Retry(len(waiting))
        else:
            retry = retry.failed()
    return buried, tries


@given(st.lists(st.booleans(), max_size=200))
def test_exactly_the_poisonous_records_are_buried(batch: list[bool]) -> None:
    buried, _ = bury(batch)
    assert buried == [index for index, poison in enumerate(batch) if poison]


@given(st.integers(1, 5_000), st.data())
def test_one_poisonous_record_is_found_in_logarithmic_time(size: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, size - 1))
    _, tries = bury([index == place for index in range(size)])
    bound = size.bit_length()
    assert tries <= (bound + 1) * (bound + MAX_ATTEMPTS)
