"""What a writer may do: under a fence, after it, without Kafka, and with a lease."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers import WriteFence
from snowshed.consumers.decisions.view import DecisionView
from snowshed.consumers.testing import FakeClock, InMemoryView, decision, in_memory_view
from snowshed.schemas.errors import ConfigurationError, Rejected
from snowshed.schemas.records import Consistency, ConsistencyMode, Decision, DecisionKind, DecisionMode


def fence(
    *avoid: str, epoch: int = 1, seq: int = 1, active: bool = True, mode: DecisionMode = DecisionMode.ENFORCE
) -> Decision:
    wanted = Consistency(mode=ConsistencyMode.FENCE, avoid=avoid)
    return decision(
        "ledger", DecisionKind.CONSISTENCY, consistency=wanted, epoch=epoch, seq=seq, active=active, mode=mode
    )


def fenced_view(*decisions: Decision) -> tuple[InMemoryView, FakeClock]:
    clock = FakeClock()
    return in_memory_view(*decisions, clock=clock), clock


def test_without_a_decision_writes_go_on_with_token_zero() -> None:
    view, _ = fenced_view()
    assert WriteFence("ledger", view).require("a") == 0


def test_a_fence_forbids_writes_to_its_servers_and_says_why() -> None:
    view, _ = fenced_view(fence("d", "e", epoch=3))
    writer = WriteFence("ledger", view)
    with pytest.raises(Rejected, match=r"call to ledger refused: no writes, fenced in epoch 3: for a test") as refused:
        writer.require("d")
    assert refused.value.retry_after > 0
    assert refused.value.decision_id
    assert writer.require("a") == 3
    assert not writer.check().allowed, "a writer that does not know where its write goes must not write"


def test_a_fence_without_servers_forbids_all_writes() -> None:
    view, _ = fenced_view(fence())
    assert not WriteFence("ledger", view).check("a").allowed


def test_neither_time_nor_a_lost_control_plane_ends_a_fence_only_a_later_decision_does() -> None:
    view, clock = fenced_view(fence("d", epoch=2, seq=7))
    writer = WriteFence("ledger", view)
    clock.advance(3600)
    view.lose_contact()
    clock.advance(3600)
    assert not writer.check("d").allowed
    view.apply(fence("d", epoch=2, seq=6, active=False))
    assert not writer.check("d").allowed
    view.apply(fence("d", epoch=2, seq=8, active=False))
    assert writer.require("d") == 2


def test_a_shadow_fence_forbids_nothing() -> None:
    view, _ = fenced_view(fence("d", mode=DecisionMode.SHADOW))
    assert WriteFence("ledger", view).check("d").allowed


def test_a_process_that_hears_nothing_writes_on_unless_it_has_a_lease() -> None:
    view, clock = fenced_view()
    view.lose_contact()
    clock.advance(4.9)
    assert WriteFence("ledger", view, lease=5.0).check("a").allowed
    clock.advance(0.1)
    standing = WriteFence("ledger", view, lease=5.0).check("a")
    assert (standing.allowed, standing.decision_id) == (False, "")
    assert "the lease of 5 s ran out" in standing.reason
    assert WriteFence("ledger", view).check("a").allowed
    view.regain_contact()
    assert WriteFence("ledger", view, lease=5.0).check("a").allowed


def test_before_the_first_contact_a_lease_forbids_writes() -> None:
    view = DecisionView(lambda: float("-inf"), clock=FakeClock())
    assert not WriteFence("ledger", view, lease=5.0).check("a").allowed
    assert WriteFence("ledger", view).check("a").allowed


@pytest.mark.parametrize("lease", [0.0, -1.0, float("nan")])
def test_a_lease_must_be_positive(lease: float) -> None:
    with pytest.raises(ConfigurationError, match="lease of ledger must be positive"):
        WriteFence("ledger", fenced_view()[0], lease=lease)


@given(
    lease=st.floats(0.5, 10.0),
    heard=st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 5.0)), max_size=20),
    fenced_at=st.floats(0.0, 30.0),
    asked=st.lists(st.floats(0.0, 60.0), min_size=1, max_size=20),
)
def test_no_writer_with_a_lease_writes_later_than_the_lease_after_the_fence(
    lease: float, heard: list[tuple[float, float]], fenced_at: float, asked: list[float]
) -> None:
    """Each contact tells at `at + delay` everything that was decided by `at`."""
    clock = FakeClock(0.0)
    known = [0.0]
    view = DecisionView(lambda: known[0], clock=clock, wall=clock)
    writer = WriteFence("ledger", view, lease=lease)
    contacts = [(at + delay, "heard", at) for at, delay in heard]
    for now, what, at in sorted([*contacts, *((at, "asked", at) for at in asked)]):
        clock.now = now
        if what == "heard":
            if at >= fenced_at:
                view.apply(fence("d"))
            known[0] = max(known[0], at)
        elif writer.check("d").allowed:
            assert now < fenced_at + lease
