"""A surge is cut where it comes in, and not where it hurts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.streams.cascade.domain_script import QUEUEING, Domain, edges, node

from snowshed.schemas.records import Decision, DecisionKind, Liveness
from snowshed.streams.cascade.inlets import Inlet, accountable, fitting, sufficient, surpassed
from snowshed.streams.cascade.situation import Situation
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.cascade.steering import steer
from snowshed.streams.cascade.throttle import Throttle
from snowshed.streams.policy import OverloadPolicy, Policy, ServicePolicy

_PRODUCT = Inlet(service="product", usual=20.0, caused=20.0)
_SURGE = Situation(
    callee="cart",
    domain="default",
    overloaded=True,
    clear=False,
    excess=3.0,
    reject_ratio=0.0,
    usual_rate=50.0,
    reporters=3.0,
    observed_at=0.0,
    may_cut=True,
    pressed=True,
    queue_delay=0.3,
    admitted=80.0,
    capacity=70.0,
    inlets=(_PRODUCT,),
    demand=(100.0,),
    demand_least=(70.0,),
)
_OWN = replace(_SURGE, inlets=(Inlet(service="cart", usual=50.0, caused=50.0),), demand=(150.0,), demand_least=(110.0,))
_CLEAR = replace(_SURGE, overloaded=False, clear=True, excess=0.2, queue_delay=0.001, pressed=False)
_Row = dict[str, object]
_USUAL: Mapping[str, object] = {}


def steered(*script: Situation) -> Throttle:
    held: Throttle | None = None
    for second, situation in enumerate(script):
        held = steer(held, replace(situation, observed_at=float(second)), float(second), OverloadPolicy())
    assert held is not None
    return held


def row(caller: str, callee: str, rate: float, more: Mapping[str, object] = _USUAL, *, usual: float = 20.0) -> _Row:
    counts = dict.fromkeys(("first", "attempts", "ok", "completions"), rate)
    return {"caller": caller, "callee": callee, **counts, "base_first_rate": usual, **more}


def fleet(product: float, **bad: object) -> list[_Row]:
    """Three interfaces that call the cart, which bears 70 calls a second."""
    asked = 40.0 + product
    hurt: _Row = {**QUEUEING, "ok": 10.0, "completions": 20.0, **bad} if asked > 70.0 else {}
    return [
        row("client", "basket", 20.0),
        row("client", "checkout", 20.0),
        row("client", "product", product),
        row("basket", "cart", 20.0, hurt),
        row("checkout", "cart", 20.0, hurt),
        row("product", "cart", product, hurt),
    ]


def decided(domain: Domain, kind: DecisionKind = DecisionKind.RATE) -> dict[str, Decision]:
    return {one.scope: one for _, one in domain.decisions(kind) if one.active}


def surged(policy: Policy | None = None, **bad: object) -> Domain:
    domain = Domain(policy, round_trip=True)
    for at in range(25):
        domain.step(at, edges(at, *fleet(20.0)))
    for at in range(25, 32):
        domain.step(at, edges(at, *fleet(100.0, **bad)))
    return domain


def test_the_interface_that_surges_is_cut_and_the_others_and_what_they_share_are_not() -> None:
    rates = decided(surged())
    assert set(rates) == {"product"}
    product = rates["product"]
    assert product.rate_multiplier is not None
    assert product.absolute_cap is not None
    assert product.rate_multiplier >= 1.0, "nobody is let less than usual for the surge alone"
    assert product.absolute_cap == pytest.approx(product.rate_multiplier * 20.0, rel=0.01)
    assert product.per_instance_fallback == pytest.approx(product.absolute_cap / 2.0)
    assert "surge of product" in product.reason


@pytest.mark.parametrize(("nodes", "parts"), [(0, 6.0), (2, 2.0), (9, 6.0)])
def test_a_rate_is_divided_by_the_callers_or_by_the_callee_s_own_nodes_where_those_are_fewer(
    nodes: int, parts: float
) -> None:
    domain = Domain()
    for at in range(30):
        crew = [node(at, Liveness.ALIVE, name=f"cart-{number}", service="cart") for number in range(nodes)]
        gone = node(at, Liveness.DEAD, name="cart-gone", service="cart")
        hurt: _Row = {**QUEUEING, "ok": 5.0, "completions": 10.0, "base_first_rate": nan}
        rows = [row(caller, "cart", 50.0, hurt) for caller in ("basket", "checkout", "product")]
        domain.step(at, edges(at, *rows), gone, *crew)
    rate = decided(domain)["cart"]
    assert rate.rate_multiplier is None, "what is usual is not known"
    assert rate.absolute_cap is not None
    assert rate.per_instance_fallback == pytest.approx(rate.absolute_cap / parts)


def test_an_inlet_that_is_protected_is_spared_and_the_callee_is_cut_itself() -> None:
    rates = decided(surged(Policy(services={"product": ServicePolicy(protected=True)})))
    assert set(rates) == {"cart"}


def test_a_callee_that_has_lost_its_capacity_is_cut_itself_as_well() -> None:
    domain = surged(ok=2.0, completions=2.0)
    for at in range(32, 50):
        domain.step(at, edges(at, *fleet(100.0, ok=2.0, completions=2.0)))
    assert "cart" in decided(domain)


def test_of_two_callees_that_ask_for_a_rate_the_lower_one_counts() -> None:
    domain = Domain()
    both = [row("product", "album", 20.0), row("basket", "album", 20.0)]
    for at in range(25):
        domain.step(at, edges(at, *fleet(20.0), *both))
    queued: _Row = {**QUEUEING, "completions": 30.0}
    hurt = [row("product", "album", 100.0, queued), row("basket", "album", 20.0, queued)]
    for at in range(25, 40):
        domain.step(at, edges(at, *fleet(100.0), *hurt))
    throttles = {one.callee: one for one in domain.state.values() if isinstance(one, Throttle) and one.inlets}
    assert throttles.keys() == {"album", "cart"}
    assert throttles["cart"].inlets_share < throttles["album"].inlets_share, "which is asked first"
    lowest = min(one.inlets_share for one in throttles.values())
    assert decided(domain)["product"].rate_multiplier == pytest.approx(lowest)


def test_a_surge_is_followed_up_to_where_it_comes_in() -> None:
    domain = Domain()

    def step(at: int, rate: float, hurt: Mapping[str, object] = _USUAL) -> None:
        up = [row("client", "front", rate), row("front", "middle", 2.0 * rate, usual=40.0)]
        down = [row("middle", "leaf", 2.0 * rate, hurt, usual=40.0), row("other", "leaf", 40.0, hurt, usual=40.0)]
        domain.step(at, edges(at, *up, *down))

    for at in range(25):
        step(at, 20.0)
    for at in range(25, 32):
        step(at, 100.0, {**QUEUEING, "completions": 50.0})
    (throttle,) = [one for one in domain.state.values() if isinstance(one, Throttle) and one.callee == "leaf"]
    (front,) = throttle.inlets
    assert (front.service, front.enforcers) == ("front", 2.0)
    assert (front.usual, front.caused) == pytest.approx((20.0, 40.0), rel=0.01)
    assert set(decided(domain)) == {"front"}


def test_what_an_inlet_usually_gets_is_what_its_edges_have_learned() -> None:
    """As is what it causes; of few requests a second the service itself may have learned something else."""
    domain = Domain()
    for at in range(32):
        domain.step(at, edges(at, *fleet(13.0 if at < 25 else 100.0)))
    (throttle,) = [one for one in domain.state.values() if isinstance(one, Throttle) and one.callee == "cart"]
    (product,) = throttle.inlets
    assert (product.usual, product.caused) == (20.0, 20.0)


def test_a_surge_is_known_also_where_the_start_of_another_service_looked_like_trouble() -> None:
    domain = Domain()
    for at in range(32):
        slow = row("batch", "slow", 50.0, QUEUEING, usual=nan)
        interfaces = fleet(20.0 if at < 25 else 100.0) if at >= 3 else []
        domain.step(at, edges(at, slow, *interfaces))
    assert "product" in decided(domain)


def test_services_that_call_each_other_in_a_circle_do_not_lead_up_for_ever() -> None:
    domain = Domain()
    for at in range(32):
        rate, hurt = (20.0, _USUAL) if at < 25 else (100.0, QUEUEING)
        circle = [row("one", "other", rate, hurt), row("other", "one", rate, hurt)]
        domain.step(at, edges(at, *circle, row("client", "one", rate, hurt)))
    assert domain.decisions(DecisionKind.DEGRADE)


def test_an_interface_grown_by_chance_is_no_inlet() -> None:
    other = Inlet("home", 20.0, 20.0)
    assert accountable((other, _PRODUCT), (21.0, 100.0), 60.0, 140.0) == (_PRODUCT,)
    assert accountable((_PRODUCT,), (30.0,), 60.0, 140.0) == (), "most of it comes from elsewhere"
    assert accountable((_PRODUCT,), (21.0,), 60.0, 61.0) == (), "so little is no surge"
    assert accountable((_PRODUCT,), (100.0,), 60.0, 60.0) == (_PRODUCT,), "it is refused on its way"


@given(multiplier=st.floats(1.0, 5.0), usual=st.floats(1.0, 1e4), shares=st.lists(st.floats(0.01, 0.5), min_size=1))
def test_what_the_inlets_are_let_is_what_the_callee_can_bear(
    multiplier: float, usual: float, shares: list[float]
) -> None:
    found = tuple(Inlet(str(number), 10.0, share * usual) for number, share in enumerate(shares))
    share = fitting(found, multiplier, usual)
    brought = usual + sum((share - 1.0) * one.caused for one in found)
    assert brought == pytest.approx(multiplier * usual)
    assert sufficient(found, [share * one.usual for one in found], usual) == pytest.approx(multiplier)
    assert not surpassed(found, [share * one.usual for one in found], share)


def test_a_surge_is_let_what_the_callee_does_beyond_the_usual_and_never_less_than_that() -> None:
    cut = steered(*[_SURGE] * 4)
    assert cut.knee == pytest.approx(70.0 / 50.0), "what it did with a queue"
    assert 1.0 <= cut.multiplier < cut.knee
    assert cut.inlets_share == pytest.approx(1.0 + (cut.multiplier - 1.0) * 2.5)
    assert steered(*[_SURGE] * 12).multiplier >= 1.0
    lost = replace(_SURGE, capacity=10.0, ok_share=0.1, useful=0.1)
    assert steered(*[lost] * 12).multiplier < 1.0, "it cannot even bear the usual"


def test_the_rate_rises_to_what_showed_a_queue_and_slowly_beyond() -> None:
    rising = [steered(*[_SURGE] * 4, *[_CLEAR] * seconds).multiplier for seconds in range(12)]
    assert rising == sorted(rising)
    assert rising[4] > 0.9 * 1.4
    assert rising[-1] < 1.2 * 1.4


def test_what_a_callee_does_while_requests_wait_is_what_the_rate_rises_to() -> None:
    begun = replace(_SURGE, capacity=55.0)
    low, later = steered(*[begun] * 4), steered(*[begun] * 4, _SURGE)
    assert low.knee == pytest.approx(55.0 / 50.0)
    assert later.knee == pytest.approx((70.0 - 70.0**0.5) / 50.0)
    easing = replace(_SURGE, excess=1.1, balance=0.5)
    assert steered(*[begun] * 4, easing).knee == later.knee


def test_the_rate_rises_soon_to_what_the_callee_has_done_of_late() -> None:
    """Its first second of trouble may have shown only a part of that."""
    begun = [replace(_SURGE, capacity=55.0)] * 4
    slow = steered(*begun, *[replace(_CLEAR, capacity=55.0)] * 4)
    soon = steered(*begun, *[_CLEAR] * 4)
    assert slow.knee == soon.knee
    assert slow.multiplier < soon.multiplier < 70.0 / 50.0


def test_between_bad_and_clear_a_surge_further_up_is_let_more_by_degrees() -> None:
    between = replace(_CLEAR, clear=False, excess=0.7, queue_delay=0.015)
    risen = [*[_SURGE] * 4, *[_CLEAR] * 4]
    assert steered(*risen, between).multiplier > steered(*risen).multiplier
    refusing = replace(between, reject_ratio=0.2)
    assert steered(*risen, refusing).multiplier <= steered(*risen).multiplier, "what it refuses has cost work before"
    own = replace(_OWN, overloaded=False, clear=False, excess=0.7, queue_delay=0.015)
    assert steered(*[_OWN] * 4, own).multiplier == steered(*[_OWN] * 4).multiplier


def test_what_a_callee_does_is_not_known_without_its_completions() -> None:
    """It has taken on so much, and is cut from there."""
    unknown = [replace(_SURGE, capacity=nan)] * 4
    assert steered(*unknown).knee == pytest.approx(80.0 / 50.0)


def test_a_callee_that_surges_itself_is_let_what_it_can_do() -> None:
    rest = replace(_OWN, overloaded=False, clear=True, excess=0.2, queue_delay=0.001)
    # What is refused before it is refused by its own rate, and no sign that it cannot do more.
    refusing = replace(rest, reject_ratio=0.5)
    cut = steered(*[_OWN] * 4)
    assert cut.surges_itself
    assert cut.knee == pytest.approx(1.4)
    risen = steered(*[_OWN] * 4, *[refusing] * 12)
    assert 0.9 * 1.4 < risen.multiplier < 1.2 * 1.4
    down = replace(_OWN, capacity=0.0, ok_share=0.0, queue_delay=0.0)
    assert steered(*[_OWN] * 4, *[down] * 9).multiplier == 0.5, "what is queued is emptied while none is in time"


def test_a_surge_is_let_the_more_the_shorter_its_queue_becomes() -> None:
    cut = [_OWN] * 4 + [replace(_OWN, queue_delay=1.0, excess=50.0)] * 2
    easing = [replace(_OWN, excess=40.0 - 4.0 * second, queue_delay=0.9 - 0.1 * second) for second in range(9)]
    shares = [steered(*cut, *easing[:seconds]).multiplier for seconds in range(10)]
    assert shares == sorted(shares)
    assert shares[0] < 0.7
    assert shares[-1] > 1.0, "not only once nothing waits any more"


def test_what_waits_is_less_than_its_delay_says_once_less_is_let_in() -> None:
    long = replace(_OWN, queue_delay=0.8)
    full, fewer = [_OWN] * 4 + [long] * 4, [_OWN] * 4 + [replace(long, admitted=20.0)] * 4
    assert steered(*fewer).multiplier > steered(*full).multiplier


def test_a_surge_of_which_the_queue_is_not_known_is_cut_as_anything_else_is() -> None:
    unknown = steered(*[replace(_OWN, queue_delay=nan)] * 12)
    assert unknown.multiplier == pytest.approx(0.8 * 70.0 / 50.0)
    assert unknown.cuts


def test_where_no_queue_is_seen_but_answers_fail_a_surge_is_cut_all_the_same() -> None:
    """Requests wait behind the place where their delay is measured."""
    blind = replace(_OWN, queue_delay=0.0, ok_share=0.05, capacity=9.0)
    cut = steered(*[blind] * 12)
    assert cut.cuts
    assert cut.multiplier < 1.0
    answering = replace(blind, ok_share=1.0, capacity=80.0)
    assert steered(*[blind] * 12, answering).multiplier > cut.multiplier, "only longer windows still show trouble"


def test_a_surge_at_the_callee_itself_is_cut_there_to_more_than_the_usual() -> None:
    """A client outside the fleet asks more, or one that nobody is seen to call."""
    domain = Domain()
    for at in range(25):
        domain.step(at, edges(at, row("client", "cart", 50.0, usual=50.0)))
    crowd: _Row = {**QUEUEING, "ok": 150.0, "completions": 90.0}
    for at in range(25, 32):
        domain.step(at, edges(at, row("client", "cart", 200.0, crowd, usual=50.0)))
    (throttle,) = [one for one in domain.state.values() if isinstance(one, Throttle)]
    assert throttle.surges_itself
    rate = decided(domain)["cart"]
    assert rate.rate_multiplier is not None
    assert 1.0 <= rate.rate_multiplier <= 90.0 / 50.0
    assert rate.absolute_cap == pytest.approx(50.0 * rate.rate_multiplier, rel=0.01)
    assert rate.reason.endswith("% of its usual 50 requests a second")
    assert "surge of" not in rate.reason, "nobody is to be told that it surges into itself"


def test_chance_in_a_short_window_is_no_pressure() -> None:
    """A reporter that sees something wrong counts for a quarter of a second: what is asked is read from a whole one."""
    domain = Domain()
    for at in range(25):
        domain.step(at, edges(at, row("client", "cart", 100.0, usual=100.0)))
    quarters = [45.0, 15.0, 20.0, 20.0] * 10
    for number, first in enumerate(quarters, 1):
        counts = row("client", "cart", first, QUEUEING, usual=100.0) | {"span": 0.25}
        domain.step(24.0 + number / 4, edges(24.0 + number / 4, counts))
        standing = domain.state["service/cart"]
        assert isinstance(standing, Standing)
        assert standing.asked == pytest.approx(100.0 - 3.0 * 10.0, rel=0.01)
    (throttle,) = [one for one in domain.state.values() if isinstance(one, Throttle)]
    assert throttle.level == 1, "nothing is gained by a rate"


@pytest.mark.parametrize(("first", "itself"), [(75.0, False), (100.0, True)])
def test_chance_is_no_surge_at_the_callee_itself(first: float, itself: bool) -> None:
    """One that loses its capacity as chance has it asked more would else be let more than usual till the end."""
    domain = Domain()
    for at in range(25):
        domain.step(at, edges(at, row("client", "cart", 60.0, usual=60.0)))
    lost: _Row = {**QUEUEING, "ok": 0.0, "timeout": first, "completions": 9.0}
    for at in range(25, 28):
        domain.step(at, edges(at, row("client", "cart", first, lost, usual=60.0)))
    (throttle,) = [one for one in domain.state.values() if isinstance(one, Throttle)]
    assert throttle.surges_itself is itself


@pytest.mark.parametrize("told", [0, 1, 3])
def test_what_a_callee_does_is_known_while_its_callers_report_more_often_than_itself(told: int) -> None:
    domain = Domain()
    for quarter in range(40):
        done = 25.0 if quarter % 4 == told else nan
        counts = row("client", "cart", 25.0, usual=100.0) | {"span": 0.25, "completions": done}
        domain.step(quarter / 4, edges(quarter / 4, counts))
    standing = domain.state["service/cart"]
    assert isinstance(standing, Standing)
    assert standing.throughput == pytest.approx(100.0)


def test_a_callee_that_refuses_lets_the_surge_be_refused_before_it() -> None:
    waiting = replace(_CLEAR, reject_ratio=0.3, queue_delay=0.03, clear=False, excess=0.7)
    before = steered(*[_SURGE] * 4, *[_CLEAR] * 4)
    assert steered(*[_SURGE] * 4, *[_CLEAR] * 4, waiting).multiplier < before.multiplier
    idle = replace(waiting, queue_delay=0.001)
    assert steered(*[_SURGE] * 4, *[_CLEAR] * 4, idle).multiplier == before.multiplier, "its own brake lets go slowly"


def test_a_surge_is_cut_soon_although_the_callee_is_not_asked_more_than_ever() -> None:
    ends = replace(_OWN, pressed=False, ok_share=0.0, goodput=0.0, useful=0.0)
    assert steered(*[ends] * 5).level == 2
    assert steered(*[replace(ends, inlets=(), demand=(), demand_least=())] * 5).level == 1, "it may be over soon"


def test_what_the_callee_s_own_rate_refuses_is_no_reason_to_cut_its_inlets() -> None:
    """It has lost its capacity as well, and once it is back that rate is all that refuses."""
    lost = [_SURGE] * 4 + [replace(_SURGE, ok_share=0.0, capacity=10.0)] * 24
    cut = steered(*lost)
    assert cut.surges_above
    assert cut.multiplier < 0.5
    back = replace(_CLEAR, reject_ratio=0.6, queue_delay=0.012, capacity=25.0)
    assert steered(*lost, *[back] * 9).multiplier > 0.8


def test_the_level_is_held_while_the_inlets_are_asked_for_more_than_they_are_let() -> None:
    refusing = replace(_CLEAR, reject_ratio=0.3)
    held = steered(*[_SURGE] * 4, *[refusing] * 60)
    assert (held.level, held.inlets) == (2, (_PRODUCT,))
    over = replace(_CLEAR, demand=(20.0,), demand_least=(10.0,))
    calmed = steered(*[_SURGE] * 4, *[refusing] * 4, *[over] * 30)
    assert (calmed.level, calmed.inlets, calmed.multiplier) == (1, (), 1.0)


def test_windows_of_different_lengths_are_put_together_by_their_rates() -> None:
    """A reporter that sees something wrong closes its windows after a quarter of a second, and others go on."""
    domain = Domain()
    for second in range(12):
        domain.step(second, edges(second, row("basket", "cart", 20.0), row("product", "cart", 20.0)))
    product = {"first": 5.0, "attempts": 5.0, "ok": 5.0, "completions": 5.0, "span": 0.25}
    seen: list[float] = []
    for number in range(1, 17):
        at = 11.0 + number / 4
        rows = [row("product", "cart", 0.0) | product]
        if number % 4 == 0:
            rows.append(row("basket", "cart", 20.0))
        domain.step(at, edges(at, *rows))
        standing = domain.state["service/cart"]
        assert isinstance(standing, Standing)
        seen.append(standing.throughput)
    assert seen == pytest.approx([40.0] * len(seen))
    assert domain.all(Decision) == []
