"""Partitions from a matrix of links."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.reachability import Link, PartitionKind, partitions

NAMES = "abcde"
LINKS = [(near, far) for near in NAMES for far in NAMES if near != far]


def matrix(up: str, down: str = "") -> dict[Link, bool]:
    """Links such as `ab`, from a to b."""
    return {(pair[0], pair[1]): True for pair in up.split()} | {(pair[0], pair[1]): False for pair in down.split()}


def test_two_groups_that_work_among_themselves_and_not_together_are_a_complete_partition() -> None:
    (cut,) = partitions(matrix("ab ba cd dc de", "ac ca bd"))
    assert cut.kind is PartitionKind.COMPLETE
    assert (cut.near, cut.far) == (("a", "b"), ("c", "d", "e"))
    assert cut.links == (("a", "c"), ("b", "d"), ("c", "a"))


def test_two_that_a_third_still_reaches_are_a_partial_partition() -> None:
    (cut,) = partitions(matrix("ac cb", "ab"))
    assert (cut.kind, cut.near, cut.far, cut.witness) == (PartitionKind.PARTIAL, ("a",), ("b",), "c")


def test_calls_that_arrive_in_one_direction_only_are_a_one_way_partition() -> None:
    (cut,) = partitions(matrix("ba ac", "ab"))
    assert (cut.kind, cut.near, cut.far) == (PartitionKind.ONE_WAY, ("a",), ("b",))


def test_both_directions_of_a_cut_are_one_partition() -> None:
    (cut,) = partitions(matrix("ac ca bc cb", "ab ba"))
    assert cut.links == (("a", "b"), ("b", "a"))


def test_a_service_that_nobody_reaches_any_more_is_dead_and_no_partition() -> None:
    assert partitions(matrix("ab ba", "ac bc")) == ()


def test_two_that_a_chain_of_others_joins_are_a_partial_partition_too() -> None:
    (cut,) = partitions(matrix("wa wb bf", "af"))
    assert (cut.kind, cut.near, cut.far, cut.witness) == (PartitionKind.PARTIAL, ("a",), ("f",), "")


def test_one_cut_link_between_two_groups_is_enough_where_its_far_end_answers_others() -> None:
    (cut,) = partitions(matrix("wa jb", "ab"))
    assert (cut.kind, cut.near, cut.far) == (PartitionKind.COMPLETE, ("b", "j"), ("a", "w"))


def test_the_only_caller_proves_nothing_until_the_far_end_says_that_it_hears_nothing() -> None:
    links = matrix("wa", "ab")
    assert partitions(links) == ()
    (cut,) = partitions(links, unheard={("a", "b")})
    assert (cut.kind, cut.near, cut.far) == (PartitionKind.COMPLETE, ("a",), ("b",))


def test_answers_that_are_lost_are_a_one_way_partition_whoever_else_calls() -> None:
    for links in (matrix("wa", "ab"), matrix("wa wb", "ab"), matrix("", "ab cb")):
        (cut,) = partitions(links, unanswered={("a", "b")})
        assert (cut.kind, cut.near, cut.far) == (PartitionKind.ONE_WAY, ("a",), ("b",))


def test_without_traffic_nothing_is_known() -> None:
    assert partitions({}) == ()
    assert partitions(matrix("", "ab")) == ()


@given(st.dictionaries(st.sampled_from(LINKS), st.booleans()))
def test_every_cut_is_made_of_expected_links_that_fail_and_no_link_is_told_twice(links: dict[Link, bool]) -> None:
    found = partitions(links)
    told = [link for cut in found for link in cut.links]
    assert len(told) == len(set(told))
    assert all(links[link] is False for link in told)
    for cut in found:
        assert not set(cut.near) & set(cut.far)
        if cut.witness:
            assert cut.kind is PartitionKind.PARTIAL
            for side in (*cut.near, *cut.far):
                assert links.get((cut.witness, side)) or links.get((side, cut.witness))


@given(st.dictionaries(st.sampled_from(LINKS), st.just(value=True)))
def test_where_everything_works_there_is_no_partition(links: dict[Link, bool]) -> None:
    assert partitions(links) == ()
