"""The short form of the suite: the cases that have taught most, a few seconds each, on a real broker.

`./dev chaos` runs all of it for as long as one likes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tests.chaos.arenas import Arenas
from tests.chaos.cases import CASES
from tests.chaos.run import Plan, Run, Verdict, carry_out
from tests.chaos.systems import FAUST, SNOWSHED, System

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

SHORT = 12.0
"""Seconds of records."""


Runner = Callable[..., Verdict]


@pytest.fixture(scope="module")
def arenas() -> Generator[Arenas]:
    with ExitStack() as stack:
        yield Arenas(stack, print)


@pytest.fixture
def run(arenas: Arenas, prefix: str, tmp_path: Path) -> Runner:
    def carried_out(system: System, name: str, seed: int, seconds: float) -> Verdict:
        case = replace(CASES[name], seconds=seconds)
        plan = Plan(system, case, seed, case.protocols[seed % len(case.protocols)], prefix)
        verdict = carry_out(Run(plan, case.arena(arenas), tmp_path))
        print(verdict)
        return verdict

    return carried_out


@pytest.mark.parametrize(
    ("name", "seed", "seconds"),
    [
        ("kill-during-commit", 101, SHORT),
        ("kill-in-restore", 102, SHORT),
        ("zombie", 103, SHORT),
        ("storm", 105, SHORT),
        ("cut", 107, SHORT),
        ("broker-kill", 108, 25.0),
        ("mixture", 109, 25.0),
    ],
)
def test_every_decision_is_taken_exactly_once(run: Runner, name: str, seed: int, seconds: float) -> None:
    verdict = run(SNOWSHED, name, seed, seconds)
    assert verdict.ok, verdict.differences.told
    assert sum(verdict.faults.values()) > 0, "nothing was injected"


def test_the_suite_sees_the_faults_of_a_system_that_has_them(run: Runner) -> None:
    verdict = run(FAUST, "kill-random", 0, SHORT)
    assert verdict.differences.lost or verdict.differences.repeated or verdict.differences.unexpected
