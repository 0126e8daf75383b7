from __future__ import annotations

from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas.errors import ConfigurationError, Rejected
from snowshed.schemas.propagation import Criticality
from snowshed.streams.lab import SCENARIOS, Scenario, scenario
from snowshed.streams.lab.arrangements import Here, arrangement
from snowshed.streams.lab.draws import arrivals, zipf
from snowshed.streams.lab.specs import ClassSpec, LoadSpec, Patience, Place, ServiceSpec, Surge, dump, parse
from snowshed.streams.lab.wire import CallFailed, Reply, Request, raise_for_status

LOW = ClassSpec(criticality=Criticality.SHEDDABLE, share=0.5)
HERE = Here(service="x", slots=1, bootstrap="", prefix="x", seed=1)


def load(**changes: object) -> LoadSpec:
    settings: dict[str, object] = {
        "callee": "server",
        "rate": 200.0,
        "seconds": 30.0,
        "patience": Patience(timeout=1.0),
        "classes": (LOW,),
    }
    return LoadSpec(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("one", SCENARIOS.values(), ids=str)
def test_every_scenario_survives_its_way_to_its_processes(one: Scenario) -> None:
    for service in one.services:
        assert parse(ServiceSpec, dump(service)) == service
    assert parse(LoadSpec, dump(one.load)) == one.load


@pytest.mark.parametrize("one", SCENARIOS.values(), ids=str)
def test_every_scenario_ends_within_a_minute_and_acts_on_what_exists(one: Scenario) -> None:
    begin, end = one.trouble
    assert one.warm_up < begin < end < one.seconds <= 60
    names = {*(service.name for service in one.services), "broker", *(f"{a}>{b}" for a, b in one.proxied)}
    assert {act.target for act in one.acts} <= names
    assert all(begin <= act.at <= one.seconds for act in one.acts)


def test_a_place_survives_its_way_to_a_process() -> None:
    place = Place(protect="both", ports={"server": 20_000}, bootstrap="127.0.0.1:9092", prefix="lab", seed=3)
    assert parse(Place, dump(place)) == place


@given(st.sampled_from(sorted(SCENARIOS)), st.floats(0.15, 2.0))
def test_scaling_keeps_rates_and_the_order_of_events(name: str, scale: float) -> None:
    one, scaled = SCENARIOS[name], SCENARIOS[name].scaled(scale)
    assert scaled.summary == (one.summary if scale == 1.0 else f"{one.summary} (times × {scale:g})")
    assert scaled.load.rate == one.load.rate
    assert [act.target for act in scaled.acts] == [act.target for act in one.acts]
    assert scaled.trouble[1] - scaled.trouble[0] == pytest.approx(scale * (one.trouble[1] - one.trouble[0]))
    assert scaled.seconds >= scaled.trouble[1]


def test_a_scenario_too_short_to_show_anything_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="leaves nothing to see"):
        SCENARIOS["chain"].scaled(0.01)


def test_an_unknown_scenario_names_the_known_ones() -> None:
    assert scenario("retry-storm").name == "retry_storm"
    with pytest.raises(ConfigurationError, match="retry_storm"):
        scenario("flood")


@pytest.mark.parametrize("name", ["sideways", "no.such.module:factory", "snowshed.streams.lab:nothing", "a:b:c"])
def test_an_unknown_protection_says_what_there_is(name: str) -> None:
    with pytest.raises(ConfigurationError, match="off, seen, local, central, both"):
        arrangement(name, HERE)


def test_a_protection_of_your_own_is_found_by_its_path() -> None:
    found = arrangement("snowshed.streams.lab.arrangements.plain:unprotected", HERE)
    assert type(found) is type(arrangement("off", HERE))


def test_arrivals_come_at_their_rate_and_grow_in_a_surge() -> None:
    surge = Surge(start=10.0, seconds=10.0, factor=5.0, criticality=Criticality.SHEDDABLE)
    times = list(arrivals(load(surges=(surge,)), LOW, Random(1)))
    assert times == sorted(times)
    calm, loud = sum(at < 10 for at in times), sum(10 <= at < 20 for at in times)
    assert calm == pytest.approx(1000, rel=0.15)
    assert loud == pytest.approx(5000, rel=0.1)


def test_a_surge_of_another_class_changes_nothing() -> None:
    surge = Surge(start=10.0, seconds=10.0, factor=5.0, criticality=Criticality.CRITICAL)
    assert list(arrivals(load(surges=(surge,)), LOW, Random(1))) == list(arrivals(load(), LOW, Random(1)))


def test_a_surge_at_one_service_leaves_the_load_of_the_others_as_it_is() -> None:
    classes = tuple(ClassSpec(criticality=Criticality.CRITICAL, share=0.5, callee=name) for name in ("home", "cart"))
    one = load(classes=classes, surges=(Surge(start=10.0, seconds=10.0, factor=5.0, callee="cart"),))
    assert one.callees == {"home", "cart"}
    assert [one.rate_of(each, 15.0) for each in classes] == [100.0, 500.0]
    assert [one.rate_of(each, 25.0) for each in classes] == [100.0, 100.0]


def test_the_first_key_is_asked_for_most() -> None:
    keys = list(islice(zipf(100, 1.0, Random(1)), 5000))
    assert set(keys) <= set(range(100))
    assert keys.count(0) == pytest.approx(2 * keys.count(1), rel=0.3)
    assert next(zipf(0, 1.0, Random(1))) == 0


def test_a_pause_doubles_and_is_halved_at_random() -> None:
    patience = Patience(timeout=1.0, attempts=4, backoff=0.2)
    assert [patience.pause(number, 1.0) for number in (1, 2, 3)] == [0.2, 0.4, 0.8]
    assert patience.pause(1, 0.0) == 0.1
    assert Patience(timeout=1.0).pause(3, 0.5) == 0.0


def test_requests_and_replies_survive_the_wire() -> None:
    request = Request(7, "read", 3, {"snowshed-attempt": "1"})
    assert Request.decode(request.encode()) == request
    assert Reply.decode(Reply(7, 429, 0.25, 1.5).encode()) == Reply(7, 429, 0.25, 1.5)


def test_a_status_is_raised_as_what_it_means() -> None:
    assert raise_for_status(Reply(1), "server") == Reply(1)
    with pytest.raises(Rejected) as refused:
        raise_for_status(Reply(1, 429, retry_after=2.0), "server")
    assert refused.value.retry_after == 2.0
    with pytest.raises(CallFailed, match="502"):
        raise_for_status(Reply(1, 502), "server")
