"""What the end of a worker's process means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snowshed.streams.hosting import EXIT_FATAL, Membership
from snowshed.streams.supervision.deaths import Death, hopeless

MEMBER = Membership("fleet", "classic", "rdkafka-1")
KILLED = Death(worker=0, pid=7, code=-9, lived=1.0, wanted=False, membership=MEMBER)
MISCONFIGURED = replace(KILLED, code=1, membership=None, misconfigured="no such policy file")


@pytest.mark.parametrize(
    ("code", "words"), [(-9, "SIGKILL"), (-11, "SIGSEGV"), (-40, "signal 40"), (0, "exit code 0"), (70, "exit code 70")]
)
def test_an_ending_is_told_in_words(code: int, words: str) -> None:
    assert replace(KILLED, code=code).ending == words


@pytest.mark.parametrize("code", [-9, -11, 1, EXIT_FATAL])
def test_whoever_dies_as_a_member_leaves_its_membership_behind(code: int) -> None:
    assert replace(KILLED, code=code).bereft == MEMBER


def test_whoever_left_or_never_joined_leaves_nothing_behind() -> None:
    assert replace(KILLED, membership=replace(MEMBER, member_id="")).bereft is None
    assert replace(KILLED, membership=None).bereft is None


def test_it_is_hopeless_when_no_worker_can_work_with_its_settings() -> None:
    assert hopeless([MISCONFIGURED, replace(MISCONFIGURED, worker=1)]) == "no such policy file"


@pytest.mark.parametrize(
    "other", [None, replace(KILLED, worker=1, membership=None), replace(MISCONFIGURED, membership=MEMBER)]
)
def test_there_is_hope_while_one_lives_died_otherwise_or_had_joined(other: Death | None) -> None:
    assert hopeless([MISCONFIGURED, other]) is None
    assert hopeless([]) is None
