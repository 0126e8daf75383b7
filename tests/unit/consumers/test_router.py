"""Which server a read goes to."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers import ReplicaRouter
from snowshed.consumers.testing import FakeClock, InMemoryView, decision, in_memory_view
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Consistency, ConsistencyMode, DecisionKind

_SERVERS = {"source": 0, "r1": 1, "r2": 2, "r3": 3}


def _advised(*, mode: ConsistencyMode = ConsistencyMode.PREFER, **fields: Any) -> InMemoryView:
    advice = Consistency(mode=mode, **fields)
    return in_memory_view(decision("orders", DecisionKind.CONSISTENCY, consistency=advice), clock=FakeClock())


def _router(view: InMemoryView, on_unknown: Literal["primary", "replica"] = "replica") -> ReplicaRouter[int]:
    return ReplicaRouter("orders", _SERVERS, "source", view, on_unknown=on_unknown)


def _names(router: ReplicaRouter[int], reads: int = 12, max_staleness: float | None = None) -> list[str]:
    return [router.choose_name(max_staleness) for _ in range(reads)]


def test_without_a_decision_replicas_take_turns_and_the_primary_rests() -> None:
    router = _router(in_memory_view())
    assert _names(router, 6) == ["r1", "r2", "r3", "r1", "r2", "r3"]
    assert router.choose() == 1


def test_reads_stay_off_replicas_to_avoid() -> None:
    assert set(_names(_router(_advised(avoid=("r1", "r3"))))) == {"r2"}


def test_reads_keep_to_preferred_replicas_and_only_then_to_the_primary() -> None:
    assert set(_names(_router(_advised(avoid=("r1",), prefer=("r2", "source"))))) == {"r2"}
    assert set(_names(_router(_advised(avoid=("r1", "r2", "r3"), prefer=("source",))))) == {"source"}
    assert set(_names(_router(_advised(prefer=("elsewhere",))))) == {"source"}


def test_a_caller_that_accepts_no_staleness_reads_from_the_primary() -> None:
    assert set(_names(_router(in_memory_view()), max_staleness=0.0)) == {"source"}
    bounded = _router(_advised(mode=ConsistencyMode.SERVE_STALE, bound=5.0))
    assert set(_names(bounded, max_staleness=1.0)) == {"source"}
    assert set(_names(bounded, max_staleness=5.0)) == {"r1", "r2", "r3"}


@pytest.mark.parametrize(("on_unknown", "then"), [("replica", {"r1", "r2", "r3"}), ("primary", {"source"})])
def test_out_of_touch_the_last_advice_fades_or_reads_go_to_the_primary(
    on_unknown: Literal["primary", "replica"], then: set[str]
) -> None:
    view = _advised(avoid=("r1",))
    router = _router(view, on_unknown)
    view.lose_contact()
    assert set(_names(router)) == {"r2", "r3"}
    assert isinstance(view.clock, FakeClock)
    view.clock.advance(20.1)
    assert set(_names(router)) == then


def test_a_primary_that_is_no_server_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="'nowhere'"):
        ReplicaRouter("orders", _SERVERS, "nowhere", in_memory_view())


_NAMES = st.lists(st.sampled_from((*_SERVERS, "unknown")), max_size=4).map(tuple)


@given(avoid=_NAMES, prefer=_NAMES, max_staleness=st.none() | st.floats(-1, 10), bound=st.none() | st.floats(0, 10))
def test_whatever_is_advised_there_is_a_server_and_no_avoided_replica(
    avoid: tuple[str, ...], prefer: tuple[str, ...], max_staleness: float | None, bound: float | None
) -> None:
    router = _router(_advised(avoid=avoid, prefer=prefer, bound=bound))
    for name in _names(router, 5, max_staleness):
        assert name in _SERVERS
        assert name == "source" or name not in avoid
