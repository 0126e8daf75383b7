"""When a checkpoint is due, and what it holds."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.support.counting import CountingFold, Tally

from snowshed.schemas.codec import Codec
from snowshed.schemas.topics import Topics
from snowshed.streams.folding import Batch, Step
from snowshed.streams.transactions.checkpoint import CheckpointMark, due, next_due, overlaid
from snowshed.streams.transactions.journal import APPLIED_KEY, Applied
from snowshed.streams.transactions.plan import Planner

TIMES = st.floats(1.0, 2e9)
LANES = st.sampled_from([f"{agent}-{number}" for agent in ("heartbeats", "domain") for number in range(8)])


@given(LANES, TIMES, st.floats(0, 3_000), st.sampled_from([1.0, 60.0, 900.0]))
def test_the_first_batch_behind_the_end_of_a_period_is_due(lane: str, before: float, gap: float, period: float) -> None:
    border = next_due(lane, before, period)
    assert before < border + 1e-6
    assert border <= before + period + 1e-6
    assert due(lane, before, before + gap, period) == (before + gap >= border)


def test_a_period_without_a_batch_leads_to_one_checkpoint_only() -> None:
    times = [1_000.0 + second for second in (0, 1, 2, 3_600, 3_601, 3_602)]
    marks = [due("heartbeats-0", one, other, 900.0) for one, other in pairwise(times)]
    assert marks.count(True) == 1
    assert marks[2]


def test_lanes_are_not_due_at_the_same_moment() -> None:
    borders = {round(next_due(f"timings-{number}", 1_000.0, 900.0)) for number in range(8)}
    assert len(borders) == 8


def test_without_a_period_nothing_is_due() -> None:
    assert not due("heartbeats-0", 1.0, 1e9, 0.0)


def test_the_first_batch_of_all_is_not_due() -> None:
    assert not due("heartbeats-0", 0.0, 1e9, 900.0)


@given(
    st.dictionaries(st.text(max_size=2), st.integers()),
    st.dictionaries(st.text(max_size=2), st.none() | st.integers()),
)
def test_an_overlaid_state_is_the_changed_state_in_its_order(
    state: dict[str, int], changes: dict[str, int | None]
) -> None:
    changed = dict(state)
    for key, value in changes.items():
        if value is None:
            changed.pop(key, None)
        else:
            changed[key] = value
    assert [*overlaid(state, changes)] == [*changed.items()]


def test_a_checkpoint_has_the_state_after_the_batch_and_ends_with_its_mark() -> None:
    planner = Planner(CountingFold(), Topics(), Codec(), "snowshed.heartbeats", 3)
    batch = Batch(
        partition=3,
        first_offset=10,
        next_offset=12,
        version=5,
        now=60.0,
        caught_up=True,
        detector_lag=0.0,
        records=(),
    )
    before = {"kept": Tally(1, 1), "gone": Tally(2, 2), "moved": Tally(3, 3)}
    step: Step[Tally] = Step({"gone": None, "moved": Tally(4, 4), "new": Tally(5, 5)})
    plan = planner.plan(batch, step, [], 2, checkpoint=before)
    written = [write for write in plan.writes if write.topic == "snowshed.checkpoint.heartbeats"]
    assert {write.partition for write in written} == {3}
    assert [(write.key, write.value) for write in written[:-1]] == [
        (b"kept", b"[1, 1]"),
        (b"moved", b"[4, 4]"),
        (b"new", b"[5, 5]"),
    ]
    assert written[-1].key == APPLIED_KEY
    assert CheckpointMark.load(written[-1].value or b"") == CheckpointMark(Applied(12, 5, 60.0), 3)
    assert [*planner.plan(batch, step, [], 2).checkpoint] == []
