"""How threads wait that meet in a critical section; what it is good for is measured by `bench_guard`'s 16 threads."""

from __future__ import annotations

import itertools

from snowshed.consumers.crowding import sleep_while


def test_it_wakes_when_the_section_is_free() -> None:
    looks = iter([True, True, False, "not looked at"])
    sleep_while(lambda: bool(next(looks)))
    assert next(looks) == "not looked at"


def test_a_section_that_is_never_free_is_left_to_its_lock() -> None:
    looks = itertools.count()
    sleep_while(lambda: next(looks) >= 0)
    assert 1 < next(looks) < 100
