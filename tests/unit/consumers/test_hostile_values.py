"""What no caller should give changes nothing for others, and raises nothing into a request."""

from __future__ import annotations

from math import inf, nan

import pytest

from snowshed.consumers import Brake, Guard, LocalBrakes, Permit, Refusal, WaitQueue
from snowshed.consumers.brakes import BulkheadOptions
from snowshed.consumers.testing import FakeClock, decision, in_memory_view
from snowshed.schemas.propagation import COHORTS, CallContext, Criticality, parse, use_context
from snowshed.schemas.records import DecisionKind


@pytest.mark.parametrize("cohort", [COHORTS, 200, 10**9, -1, -(10**9)])
@pytest.mark.parametrize("criticality", list(Criticality))
def test_a_cohort_that_does_not_exist_stays_within_its_class(cohort: int, criticality: Criticality) -> None:
    view = in_memory_view(decision("orders", DecisionKind.DEGRADE, degrade_level=3))  # up to CRITICAL
    guard = Guard("orders", view=view, local=LocalBrakes(bulkhead=BulkheadOptions(each_operation=9)))
    with use_context(CallContext(criticality=criticality, cohort=cohort)):
        inherited = guard.try_admit("read")
        guard.turn_away("read")
        with WaitQueue(Guard("stock"), concurrency=1).enter("read"):
            pass
    given = guard.try_admit("read", criticality=criticality, cohort=cohort)
    expected = Permit if criticality <= Criticality.CRITICAL else Refusal
    assert isinstance(inherited, expected)
    assert isinstance(given, expected)


@pytest.mark.parametrize("criticality", [4, 10**6, -1])
def test_a_class_that_does_not_exist_is_the_nearest_that_does(criticality: int) -> None:
    guard = Guard("orders", local=LocalBrakes(bulkhead=BulkheadOptions(each_operation=9)))
    wrong: Criticality = criticality  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    guard("read", criticality=wrong).succeeded()
    assert guard.turn_away("read", criticality=wrong) is None
    assert guard.stats.in_flight == 0


@pytest.mark.parametrize("text", ["", "-1", "nan", "1e9", "9" * 5000, "\N{SUPERSCRIPT TWO}", "0x7f", " 1", "\0"])
def test_damaged_headers_make_a_context_that_is_admitted(text: str) -> None:
    names = ("attempt", "cohort", "criticality", "deadline", "caller", "root-api")
    context = parse({f"snowshed-{name}": text for name in names if name != "deadline"}, 1_000.0)
    with use_context(context):
        assert not isinstance(Guard("orders").try_admit("read", attempt=0), Refusal)


@pytest.mark.parametrize("deadline", [inf, nan])
def test_a_deadline_that_is_none_does_not_blind_the_queue_brake(deadline: float) -> None:
    """One endless deadline made the mean deadline endless, and no delay was long beside that."""
    clock = FakeClock()
    guard = Guard("orders", clock=clock)
    assert guard("read", cohort=127, deadline=deadline, queued_for=1.0).timeout is None
    for _ in range(50):
        guard("read", cohort=127, deadline=clock.now + 5.0, queued_for=1.0).succeeded()
    clock.advance(1.0)
    assert guard.stats.local.cursor == 255


@pytest.mark.parametrize("wait", [nan, inf, -1e9])
def test_a_wait_that_is_none_does_not_blind_the_queue_brake(wait: float) -> None:
    clock = FakeClock()
    guard = Guard("orders", clock=clock)
    guard.count_refusal(Refusal(Brake.QUEUE, "full", 1.0), queued_for=wait)
    for number in range(50):
        guard("read", cohort=127, queued_for=1.0 if number else wait).succeeded()
    clock.advance(1.0)
    assert 0.9 < (guard.stats.local.queue_delay or 0.0) < 1.0
    assert guard.stats.local.cursor == 255
