"""What a step remembers of the one before it is a cache: nothing depends on it."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.streams.cascade.domain_script import RETRYING, Domain, edges
from tests.unit.streams.cascade.test_domain_properties import records, scripts

from snowshed.streams.cascade import DomainFold
from snowshed.streams.cascade.calls import calls
from snowshed.streams.cascade.inbound import Inbound
from snowshed.streams.cascade.memory import Lasting, Memory
from snowshed.streams.governed import Governed
from snowshed.streams.policy import Policy


@given(scripts, st.integers(0, 3))
def test_a_step_judges_the_same_with_an_empty_memory(
    script: list[tuple[float, list[tuple[str, object]], float]], ticks: int
) -> None:
    remembering, forgetting = Domain(), Domain()
    at = 0.0
    for wait, happened, late in script:
        at += wait
        made = records(at, happened)
        for _ in range(ticks + 1):
            forgetting.fold = Governed(DomainFold, Policy())
            one = remembering.step(at, *made, detector_lag=late)
            assert repr(one) == repr(forgetting.step(at, *made, detector_lag=late))
            at, made = at + 0.25, []
    assert repr(remembering.state) == repr(forgetting.state)


def test_a_value_is_worked_out_again_once_what_it_rests_on_is_another_object_or_its_time_is_over() -> None:
    memory, worked = Memory(), list[float]()
    policy, other = Policy(), Policy()

    def asked(now: float, made_of: Policy, name: str = "api") -> float:
        def work() -> Lasting[float]:
            worked.append(now)
            return Lasting(now, now + 10.0)

        found = memory.recalled("kind", name, (made_of,), now, work)
        memory.turn()
        return found

    assert [asked(0.0, policy), asked(9.0, policy), asked(10.0, policy)] == [0.0, 0.0, 10.0]
    assert [asked(11.0, other), asked(12.0, other, "db"), asked(13.0, other, "db")] == [11.0, 12.0, 12.0]
    assert asked(8.0, other, "db") == 8.0  # a time before the one that it was worked out for
    assert worked == [0.0, 10.0, 11.0, 12.0, 8.0]


def test_what_a_step_does_not_ask_for_is_forgotten_after_it() -> None:
    memory, policy = Memory(), Policy()
    memory.recalled("kind", "api", (policy,), 0.0, lambda: Lasting("before"))
    memory.turn()
    memory.turn()
    assert memory.recalled("kind", "api", (policy,), 0.0, lambda: Lasting("after")) == "after"


def test_what_rests_on_the_calls_is_worked_out_once_and_then_only_around_the_edges_that_change() -> None:
    domain, worked = Domain(), list[str]()

    def inbound(*callees: str) -> list[Inbound]:
        found = [domain.state[f"inbound/{callee}"] for callee in callees]
        return [one for one in found if isinstance(one, Inbound)]

    def work(name: str) -> str:
        worked.append(name)
        return name

    def asked(*, after: int) -> list[str]:
        for name in ("api", "db", "mail"):
            assert known.around("kind", name, partial(work, name)) == name
        return worked[after:]

    domain.step(0, edges(0, {}, {"caller": "api", "callee": "db"}, {"caller": "web", "callee": "mail"}))
    known = first = calls(inbound("api", "db", "mail"), None)
    assert (asked(after=0), asked(after=3)) == (["api", "db", "mail"], [])
    domain.step(0.25)
    known = calls(inbound("api", "db", "mail"), known)
    assert (known is first, asked(after=3)) == (True, [])
    domain.step(1, edges(1, {**RETRYING, "caller": "api", "callee": "db"}))
    known = calls(inbound("api", "db", "mail"), known)
    # Its own calls are others for `api`, and those into it for `db`.
    assert (known is first, asked(after=3), asked(after=5)) == (False, ["api", "db"], [])
