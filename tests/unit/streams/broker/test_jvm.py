from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from snowshed.streams.broker.jvm import ending_with_parent


def test_a_process_started_outside_the_main_thread_is_not_tied_to_that_thread() -> None:
    """The kernel would end the broker together with the thread."""
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ending_with_parent, ["java"]).result() == ["java"]


def test_a_process_started_by_the_main_thread_is_tied_to_it() -> None:
    assert ending_with_parent(["java"])[1:] == ["--pdeathsig", "TERM", "java"]
