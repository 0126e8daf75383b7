"""Error budgets: burn rates over two windows, and what is left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.lag.objectives import Budget, Objective, Outlook, Severity, outlook, spend

OBJECTIVE = Objective(0.999)
START = 1_700_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def run(*phases: tuple[float, float], budget: Budget | None = None) -> tuple[Outlook, Budget, float]:
    """Phases of (seconds, bad share), counted each minute."""
    now, state = START, budget or Budget.empty(OBJECTIVE)
    for seconds, share in phases:
        for _ in range(int(seconds / MINUTE)):
            now += MINUTE
            state = spend(state, now, good=MINUTE * (1 - share), bad=MINUTE * share)
    return outlook(state, OBJECTIVE, now), state, now


def test_a_dataset_without_history_is_quiet() -> None:
    result = outlook(Budget.empty(OBJECTIVE), OBJECTIVE, START)
    assert (result.severity, result.burn, result.remaining) == (Severity.NONE, 0.0, 1.0)


def test_a_fresh_dataset_keeps_its_budget() -> None:
    assert run((3 * DAY, 0.0))[0].remaining == 1.0


@pytest.mark.parametrize(
    ("seconds", "share", "severity"),
    [
        (HOUR, 0.0145, Severity.PAGE),
        (6 * HOUR, 0.0062, Severity.PAGE),
        (DAY, 0.0032, Severity.TICKET),
        (3 * DAY, 0.0011, Severity.TICKET),
        (DAY, 0.0009, Severity.NONE),
    ],
)
def test_each_rule_answers_to_its_rate(seconds: float, share: float, severity: Severity) -> None:
    assert run((4 * DAY, 0.0), (seconds, share))[0].severity is severity


def test_a_full_outage_pages_within_a_minute_of_its_share() -> None:
    calm, _, _ = run((4 * DAY, 0.0))
    assert calm.severity is Severity.NONE
    assert run((4 * DAY, 0.0), (2 * MINUTE, 1.0))[0].severity is Severity.PAGE


def test_a_page_ends_soon_after_the_trouble() -> None:
    assert run((4 * DAY, 0.0), (10 * MINUTE, 1.0))[0].severity is Severity.PAGE
    after, _, _ = run((4 * DAY, 0.0), (10 * MINUTE, 1.0), (40 * MINUTE, 0.0))
    assert after.severity is Severity.TICKET
    assert after.remaining < 1.0


def test_a_spent_budget_is_negative() -> None:
    assert run((28 * DAY, 0.0), (2 * HOUR, 1.0))[0].remaining < 0


def test_unknown_time_is_neither_good_nor_bad() -> None:
    _, state, now = run((HOUR, 0.5))
    assert outlook(state, OBJECTIVE, now + 31 * DAY).remaining == 1.0


@given(st.lists(st.tuples(st.floats(0, 40 * DAY), st.floats(0, 100), st.floats(0, 100)), max_size=60))
def test_memory_is_bounded_and_order_does_not_corrupt(events: list[tuple[float, float, float]]) -> None:
    state = Budget.empty(OBJECTIVE)
    for after, good, bad in events:
        state = spend(state, START + after, good=good, bad=bad)
    assert all(len(window.slots) <= 12 for window in state.windows)
    result = outlook(state, OBJECTIVE, START + 40 * DAY)
    assert result.remaining <= 1.0


@pytest.mark.parametrize(("target", "period"), [(1.0, 30 * DAY), (0.0, 30 * DAY), (0.99, DAY)])
def test_an_objective_without_a_budget_is_refused(target: float, period: float) -> None:
    with pytest.raises(ValueError, match=r"target|period"):
        Objective(target, period)
