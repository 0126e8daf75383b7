"""Intervals in, alarms and ranked causes out."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import isnan

import orjson
import pytest

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.causes import (
    Alarm,
    BadLine,
    GivenAlarm,
    History,
    Interval,
    Sample,
    Watch,
    diagnose,
    read_intervals,
)

CHAIN = (("web", "orders"), ("orders", "stock"), ("web", "stock"))
USUAL = {"web": 60.0, "orders": 30.0, "stock": 10.0}
ALARM = GivenAlarm(node="web", metric="latency", t=60.0)
Change = Callable[[str, Sample], Sample]


def unchanged(_: str, sample: Sample) -> Sample:
    return sample


def fleet(count: int, start: int, change: Change = unchanged, seed: int = 1) -> Iterator[Interval]:
    """A chain of three at a steady load with a little noise."""
    draw = random.Random(f"{seed}-{start}")
    for number in range(start, start + count):
        interval = Interval(float(number), 1.0)
        for name, latency in USUAL.items():
            usual = Sample(draw.gauss(1000.0, 20.0), draw.choice([0.0, 1.0]), {"avg": latency * draw.gauss(1.0, 0.02)})
            interval.nodes[name] = change(name, usual)
        yield interval


def slower(extra: dict[str, float]) -> Change:
    return lambda name, sample: replace(sample, latency={"avg": sample.latency["avg"] + extra.get(name, 0.0)})


def failing(errors: dict[str, float]) -> Change:
    return lambda name, sample: replace(sample, errors=sample.errors + errors.get(name, 0.0))


def told(change: Change, alarm: GivenAlarm = ALARM) -> list[str]:
    history = History(CHAIN)
    for interval in (*fleet(60, 0), *fleet(10, 60, change)):
        history.add(interval)
    return [cause.name for cause in diagnose(history, alarm).causes]


def test_time_that_comes_from_a_callee_is_not_the_callers_own() -> None:
    assert told(slower({"stock": 40.0, "orders": 20.0, "web": 40.0})) == ["stock"]


def test_a_component_between_is_found_though_its_caller_is_slower_still() -> None:
    assert told(slower({"orders": 30.0, "web": 30.0})) == ["orders"]


def test_the_entry_itself_can_be_the_cause() -> None:
    assert told(slower({"web": 30.0})) == ["web"]


def test_failures_are_conserved_like_time() -> None:
    availability = GivenAlarm(node="web", metric="availability", t=60.0)
    assert told(failing({"orders": 50.0, "web": 50.0}), availability) == ["orders"]


@pytest.mark.parametrize(
    ("metric", "first"),
    [
        ("availability", "orders"),
        ("HTTP_5xx", "orders"),
        ("error_rate", "orders"),
        ("latency", "stock"),
        ("p99", "stock"),
        ("request.duration", "stock"),
    ],
)
def test_an_alarm_says_by_its_metrics_name_what_is_looked_at(metric: str, first: str) -> None:
    def both(name: str, sample: Sample) -> Sample:
        slow = slower({"stock": 40.0, "orders": 20.0, "web": 40.0})(name, sample)
        return failing({"orders": 50.0, "web": 50.0})(name, slow)

    assert told(both, GivenAlarm(node="web", metric=metric, t=60.0)) == [first]


def test_a_callee_that_has_fallen_silent_takes_over_its_callers_failures() -> None:
    def gone(name: str, sample: Sample) -> Sample:
        return Sample(0.0, 0.0) if name == "stock" else replace(sample, errors=sample.errors + 100.0)

    assert told(gone, GivenAlarm(node="web", metric="availability", t=60.0))[0] == "stock"


def test_nothing_out_of_the_usual_names_nobody() -> None:
    assert told(unchanged) == []


def test_only_what_the_alarmed_entry_calls_is_accused() -> None:
    assert told(slower({"web": 30.0, "stock": 0.0}), replace(ALARM, node="orders")) == []


def test_resources_speak_where_neither_time_nor_failures_were_measured() -> None:
    history, draw = History(), random.Random(1)
    for number in range(70):
        leak = 40.0 if number >= 60 else 0.0
        usage = {"db-1": 50.0 + draw.gauss(0.0, 1.0) + leak, "db-2": 50.0 + draw.gauss(0.0, 1.0)}
        nodes = {name: Sample(resources={"memory": value}) for name, value in usage.items()}
        history.add(Interval(float(number), 1.0, nodes))
    found = diagnose(history, GivenAlarm(node="", metric="", t=60.0)).causes
    assert [cause.name for cause in found] == ["db-1"]
    assert "memory" in found[0].reason


def test_edges_alone_are_enough_and_shared_totals_count_once() -> None:
    history = History()
    for interval in (*fleet(60, 0), *fleet(10, 60, slower({"stock": 40.0, "orders": 20.0, "web": 40.0}))):
        stock = replace(interval.nodes["stock"], shared=2.0)
        edges = {("web", "orders"): interval.nodes["orders"], ("web", "stock"): stock, ("orders", "stock"): stock}
        history.add(Interval(interval.t, 1.0, edges={**edges, ("@external", "web"): interval.nodes["web"]}))
    assert [cause.name for cause in diagnose(history, ALARM).causes] == ["stock"]
    assert history.series("stock", "requests").max() < 1200.0


def alarms(*parts: Iterator[Interval]) -> list[Alarm]:
    watch = Watch()
    return [alarm for part in parts for interval in part if (alarm := watch.take(interval)) is not None]


def test_a_slow_service_rings_within_two_intervals_and_once() -> None:
    found = alarms(fleet(100, 0), fleet(20, 100, slower({"orders": 30.0, "web": 30.0})))
    assert len(found) == 1
    assert (found[0].t, found[0].known_at) in {(100.0, 101.0), (100.0, 102.0)}
    assert found[0].metric == "latency"


def test_completions_that_stop_ring_although_no_latency_is_measured() -> None:
    found = alarms(fleet(100, 0), fleet(5, 100, lambda name, sample: Sample(0.0) if name == "stock" else sample))
    assert [(alarm.node, alarm.metric) for alarm in found] == [("stock", "requests")]


def test_an_incident_that_has_passed_may_ring_again() -> None:
    trouble = slower({"orders": 30.0, "web": 30.0})
    found = alarms(fleet(100, 0), fleet(10, 100, trouble), fleet(30, 110), fleet(10, 140, trouble))
    assert [alarm.t for alarm in found] == [100.0, 140.0]


def test_the_newest_alarm_is_kept_though_one_before_it_was_louder() -> None:
    watch = Watch()
    loud, quiet = slower({"orders": 30.0, "web": 30.0, "stock": 30.0}), slower({"orders": 30.0, "web": 30.0})
    parts = [fleet(100, 0), fleet(10, 100, loud), fleet(30, 110), fleet(10, 140, quiet)]
    rung = [alarm for part in parts for interval in part if (alarm := watch.take(interval)) is not None]
    assert len(rung) == 2
    assert watch.newest == rung[1]


def test_without_an_alarm_what_came_nearest_to_one_is_kept() -> None:
    watch = Watch()
    seen = [watch.take(interval) for interval in fleet(60, 0)]
    assert set(seen) == {None}
    assert watch.newest is not None
    assert watch.newest.z < watch.newest.threshold


@pytest.mark.parametrize("seed", range(5))
def test_an_hour_of_nothing_but_noise_does_not_ring(seed: int) -> None:
    assert alarms(fleet(3600, 0, seed=seed)) == []


def test_a_loud_incident_does_not_silence_a_lesser_one_after_it() -> None:
    loud, lesser = slower({"stock": 900.0}), slower({"stock": 30.0})
    found = alarms(fleet(100, 0), fleet(10, 100, loud), fleet(60, 110), fleet(10, 170, lesser), fleet(20, 180))
    assert [(alarm.t, alarm.node) for alarm in found] == [(100.0, "stock"), (170.0, "stock")]


LINES = (
    {"kind": "meta", "id": "night", "dt": 60, "edges": [["web", "orders"]], "alarm": {"node": "web", "t": 120}},
    {
        "kind": "node",
        "t": 0,
        "dt": 60,
        "node": "web",
        "requests": 90,
        "availability": 0.9,
        "lat_ms": {"avg": 5, "p50": None},
    },
    {"kind": "something new", "t": 0},
    {"kind": "edge", "t": 60, "dt": 60, "caller": "web", "callee": "orders", "errors": None, "more": 1},
)


def test_the_contract_is_read_as_it_is_written() -> None:
    stream = read_intervals(map(orjson.dumps, LINES), "night.jsonl")
    assert (stream.meta.id, stream.meta.edges, stream.meta.alarm) == (
        "night",
        (("web", "orders"),),
        GivenAlarm(node="web", metric="", t=120.0),
    )
    first, second = stream.intervals
    assert first.nodes["web"].errors == pytest.approx(9.0)
    assert first.nodes["web"].latency == {"avg": 5.0}
    assert list(second.edges) == [("web", "orders")]


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (b"{", "line 2 is no JSON"),
        (b"[]", "line 2 has no kind"),
        (b'{"kind": "node", "node": "a"}', "line 2 has no time"),
        (b'{"kind": "node", "t": 1}', "line 2 has no node"),
        (b'{"kind": "edge", "t": 1, "caller": "a"}', "line 2 has no callee"),
    ],
)
def test_a_bad_line_is_named(line: bytes, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        list(read_intervals([b'{"kind": "meta"}', line], "night.jsonl").intervals)


@pytest.mark.parametrize("closing", [[], [{"kind": "end", "t": 1}]])
def test_a_row_of_an_interval_that_is_over_is_named(closing: list[dict[str, object]]) -> None:
    lines = [*map(orjson.dumps, ({"kind": "node", "t": 1, "node": "a"}, *closing)), b'{"kind": "end", "t": 0}']
    with pytest.raises(ConfigurationError, match="is late: the interval at 0 is over; sort the lines"):
        list(read_intervals(lines, "night.jsonl").intervals)


def test_bad_lines_are_told_and_the_rest_goes_on() -> None:
    lines = [
        b'{"kind": "meta", "dt": 5}',
        b'{"kind": "log", "t": "noon"}',
        b'{"kind": "node", "t": 0, "node": "a", "requests": 3}',
        b'{"kind": "node", "t": 5, "node": "a", "req',
        b'{"kind": "node", "t": 5, "node": "b"}',
        b'{"kind": "node", "t": 0, "node": "b"}',
        b'{"kind": "node", "t": 10, "node": "a"}',
    ]
    bad: list[BadLine] = []
    found = list(read_intervals(lines, "night.jsonl", bad.append).intervals)
    assert [(one.t, list(one.nodes)) for one in found] == [(0.0, ["a"]), (5.0, ["b"]), (10.0, ["a"])]
    assert [one.where for one in bad] == ["night.jsonl, line 4", "night.jsonl, line 6"]


@pytest.mark.parametrize(
    ("first", "spans"), [({"kind": "meta", "dt": 60}, [60.0, 7.0, 60.0]), ({"kind": "meta"}, [30.0, 7.0, 30.0])]
)
def test_an_interval_that_does_not_say_how_long_it_is(first: dict[str, object], spans: list[float]) -> None:
    rows = (first, {"kind": "end", "t": 0}, {"kind": "end", "t": 30, "dt": 7}, {"kind": "end", "t": 60, "dt": 0})
    assert [one.dt for one in read_intervals(map(orjson.dumps, rows), "night.jsonl").intervals] == spans


@pytest.mark.parametrize("number", ["1e308", "-1e308", "123456789012345678901234567890e50"])
def test_what_no_clock_or_counter_shows_is_not_measured(number: str) -> None:
    lines = [b'{"kind": "node", "t": 0, "node": "a", "requests": %s, "lat_ms": {"avg": 5e-300}}' % number.encode()]
    [interval] = read_intervals(lines, "night.jsonl").intervals
    assert isnan(interval.nodes["a"].requests)
    assert interval.nodes["a"].latency == {"avg": 0.0}


def test_an_alarm_after_the_end_has_no_causes() -> None:
    history = History(CHAIN)
    for interval in fleet(60, 0):
        history.add(interval)
    assert diagnose(history, replace(ALARM, t=90.0)).causes == ()


def test_an_empty_stream_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is empty"):
        read_intervals([], "night.jsonl")


def gauges(count: int, start: int, silent: str = "") -> Iterator[Interval]:
    """Five pods of which only gauges are known."""
    draw = random.Random(f"gauges-{start}")
    for number in range(start, start + count):
        names = (name for name in ("a", "b", "c", "d", "e") if name != silent)
        nodes = {name: Sample(resources={"cpu": draw.gauss(0.3, 0.02), "net": draw.gauss(9e4, 5e3)}) for name in names}
        yield Interval(number * 60.0, 60.0, nodes)


def test_a_pod_whose_rows_stop_rings_although_only_gauges_were_measured() -> None:
    found = alarms(gauges(100, 0), gauges(10, 100, silent="c"))
    assert [(alarm.node, alarm.metric) for alarm in found] == [("c", "rows")]


def test_gauges_that_rise_everywhere_at_once_are_demand() -> None:
    busier = [
        replace(
            one,
            nodes={
                name: Sample(resources={key: 1.6 * value for key, value in sample.resources.items()})
                for name, sample in one.nodes.items()
            },
        )
        for one in gauges(10, 100)
    ]
    assert alarms(gauges(100, 0), iter(busier)) == []


def busy(factor: float) -> Callable[[Interval], Interval]:
    def busier(one: Interval) -> Interval:
        raised = Sample(resources={key: factor * value for key, value in one.nodes["b"].resources.items()})
        return replace(one, nodes={**one.nodes, "b": raised})

    return busier


def test_gauges_that_rise_at_one_pod_ring() -> None:
    assert [alarm.node for alarm in alarms(gauges(100, 0), map(busy(2.5), gauges(10, 100)))] == ["b"]


def test_gauges_that_were_very_far_out_once_ring_again_for_less() -> None:
    parts = gauges(100, 0), map(busy(1e6), gauges(8, 100)), gauges(60, 108), map(busy(2.5), gauges(8, 168))
    assert [alarm.node for alarm in alarms(*parts)] == ["b", "b"]


def ranked(history: History, t: float) -> list[str]:
    return [cause.name for cause in diagnose(history, GivenAlarm(node="", metric="", t=t)).causes]


def test_a_component_whose_rows_stop_goes_before_those_that_suffer() -> None:
    history = History()
    for interval in fleet(60, 0):
        history.add(interval)
    for interval in fleet(10, 60, failing({"web": 300.0, "orders": 100.0})):
        history.add(replace(interval, nodes={name: one for name, one in interval.nodes.items() if name != "stock"}))
    causes = diagnose(history, GivenAlarm(node="", metric="", t=60.0)).causes
    assert causes[0].name == "stock"
    assert "rows have stopped" in causes[0].reason


def test_an_incident_is_not_diluted_by_what_comes_after_it() -> None:
    history = History(CHAIN)
    trouble = slower({"stock": 40.0, "orders": 20.0, "web": 40.0})
    for interval in (*fleet(60, 0), *fleet(8, 60, trouble), *fleet(3000, 68)):
        history.add(interval)
    assert ranked(history, 60.0) == ["stock"]


@pytest.mark.parametrize(("gone_from", "first"), [(50, ["stock"]), (20, ["web"])])
def test_rows_that_stopped_before_a_late_alarm_are_missed_and_those_that_left_long_ago_are_not(
    gone_from: int, first: list[str]
) -> None:
    history = History()
    for interval in (*fleet(60, 0), *fleet(10, 60, failing({"web": 300.0}))):
        there = [name for name in interval.nodes if name != "stock" or interval.t < gone_from]
        history.add(replace(interval, nodes={name: interval.nodes[name] for name in there}))
    assert ranked(history, 60.0)[:1] == first


def test_nobody_is_accused_of_silence_where_most_are_silent() -> None:
    history = History()
    for interval in (*fleet(60, 0), *fleet(10, 60, slower({"web": 30.0}))):
        nodes = interval.nodes if interval.t < 60.0 else {"web": interval.nodes["web"]}
        history.add(replace(interval, nodes=nodes))
    assert ranked(history, 60.0) == ["web"]


def test_where_no_calls_are_known_who_adds_most_in_proportion_is_first() -> None:
    history = History()
    for interval in (*fleet(60, 0), *fleet(10, 60, slower({"stock": 25.0, "orders": 25.0, "web": 40.0}))):
        history.add(interval)
    first = diagnose(history, GivenAlarm(node="", metric="", t=60.0)).causes[0]
    assert first.name == "stock"
    assert re.search("its calls take 2[45][0-9]% longer than usual; who calls whom is not known", first.reason)


def test_a_gauge_that_all_are_higher_in_accuses_nobody() -> None:
    history = History()
    for interval in gauges(70, 0):
        on = interval.t >= 60 * 60
        nodes = {
            name: Sample(
                resources={
                    "cpu": one.resources["cpu"] * (3.0 if on and name == "b" else 1.0),
                    "net": one.resources["net"] * (9.0 if on else 1.0),
                }
            )
            for name, one in interval.nodes.items()
        }
        history.add(replace(interval, nodes=nodes))
    assert ranked(history, 3600.0) == ["b"]
