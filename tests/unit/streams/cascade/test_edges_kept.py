"""The edges into a callee as one value of the state: judged by column, written as bytes, forgotten one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.streams.cascade.domain_script import QUEUEING, RETRYING, Domain, edges

from snowshed.schemas.records import EdgeObservations, Incident, IncidentKind
from snowshed.streams.cascade.inbound import Inbound
from snowshed.streams.cascade.rows import of_record
from snowshed.streams.cascade.views import EdgeView
from snowshed.streams.policy import Policy

_CALLERS = ("web", "jobs", "mail")
_ROWS: Sequence[Mapping[str, object]] = (
    {},
    RETRYING,
    QUEUEING,
    {"first": 6.0, "attempts": 7.0, "ok": 5.0, "timeout": 2.0},
    {"first": 0.0, "attempts": 50.0, "ok": 0.0, "timeout": 50.0},
    {"ok": 0.0, "timeout": 100.0, "completions": 90.0},
    {"ok": 0.0, "error_local": 100.0, "p50": nan, "p90": nan, "p99": nan, "queue_delay_mean": nan},
    {"span": 0.25, "first": 3.0, "attempts": 3.0, "ok": 1.0, "rejected": 2.0},
    {"base_ok_ratio": nan, "base_first_rate": nan, "base_p90": nan, "first": 1.5, "attempts": 4.5, "ok": 1.5},
)
windows = st.sampled_from(_ROWS)


def kept(domain: Domain) -> list[EdgeView]:
    return [edge for value in domain.state.values() if isinstance(value, Inbound) for edge in value.edges]


@given(st.lists(st.tuples(windows, windows, windows), min_size=1, max_size=12))
def test_windows_judged_together_leave_the_same_edges_as_each_judged_by_itself(
    script: list[tuple[Mapping[str, object], ...]],
) -> None:
    together, apart = Domain(), Domain()
    for at, rows in enumerate(script):
        named = [{"caller": caller, **row} for caller, row in zip(_CALLERS, rows, strict=True)]
        together.step(at, edges(at, *named))
        apart.step(at, *(edges(at, row) for row in named))
    placeless = [edge._replace(place=kept(apart)[0].place) for edge in kept(together)]
    assert repr(placeless) == repr([edge._replace(place=kept(apart)[0].place) for edge in kept(apart)])


def test_several_windows_of_an_edge_in_one_record_count_one_after_another() -> None:
    at_once, in_turn = Domain(), Domain()
    at_once.step(0, edges(0, RETRYING, {"caller": "jobs"}, QUEUEING, {}))
    for row in (RETRYING, {"caller": "jobs"}, QUEUEING, {}):
        in_turn.step(0, edges(0, row))
    for one, other in zip(kept(at_once), kept(in_turn), strict=True):
        assert repr(one._replace(place=other.place)) == repr(other)


def test_windows_too_thin_to_be_judged_are_judged_together_once_there_are_enough_calls() -> None:
    domain, few = Domain(), {"first": 12.0, "attempts": 12.0, "ok": 0.0, "timeout": 12.0}
    domain.step(0, edges(0, few, {"caller": "jobs"}))
    _, quiet = kept(domain)
    assert (quiet.gathering, quiet.gathered, quiet.excess) == (quiet.window, None, 0.0)
    domain.step(1, edges(1, few, {"caller": "jobs"}))
    busy, quiet = kept(domain)
    assert (quiet.gathering, quiet.judged.attempts, quiet.judged.span) == (None, 24.0, 2.0)
    assert (quiet.overloaded.windows, quiet.overloaded.covered, busy.overloaded.windows) == (1, 2.0, 0)


@given(st.lists(st.tuples(windows, windows), min_size=1, max_size=8))
def test_edges_come_back_from_their_bytes_as_they_were(script: list[tuple[Mapping[str, object], ...]]) -> None:
    domain = Domain()
    for at, rows in enumerate(script):
        domain.step(at, edges(at, *({"caller": caller, **row} for caller, row in zip(_CALLERS, rows, strict=False))))
    value = domain.state["inbound/api"]
    raw = domain.fold.dump(value)
    assert isinstance(value, Inbound)
    again = domain.fold.load(raw)
    assert isinstance(again, Inbound)
    assert (repr(again), domain.fold.dump(again)) == (repr(value), raw)


def test_nodes_that_are_cut_off_come_back_from_the_bytes_of_their_edge() -> None:
    domain, record = Domain(round_trip=True), edges(0, {"caller": "web"}, {"caller": "jobs"})
    strings = (*record.strings, "web-2", "web-3")
    nodes = (float(len(strings) - 2), float(len(strings) - 1))
    domain.step(0, replace(record, strings=strings, cut_edge=(0.0, 0.0), cut_node=nodes, cut_calls=(40.0, 50.0)))
    assert {edge.window.caller: edge.cut_nodes for edge in kept(domain)} == {
        "web": (("web-2", 40.0), ("web-3", 50.0)),
        "jobs": (),
    }


def test_a_caller_that_falls_silent_is_forgotten_while_others_go_on() -> None:
    domain = Domain()
    domain.step(0, edges(0, {"caller": "web"}, {"caller": "jobs"}))
    remember = Policy().decisions.remember
    domain.step(remember, edges(remember, {"caller": "web"}))
    assert [edge.window.caller for edge in kept(domain)] == ["jobs", "web"]
    domain.step(remember + 1)
    assert [edge.window.caller for edge in kept(domain)] == ["web"]


def test_edges_that_earlier_releases_wrote_one_by_one_go_on_in_their_callee() -> None:
    straight, upgraded = Domain(), Domain()
    for domain in (straight, upgraded):
        for at in range(4):
            domain.step(at, edges(at, RETRYING, {"caller": "jobs", "first": 3.0, "attempts": 3.0, "ok": 3.0}))
    value = upgraded.state.pop("inbound/api")
    assert isinstance(value, Inbound)
    for edge in value.edges:
        upgraded.state[f"edge/{edge.name}"] = upgraded.fold.load(_as_written_before(edge))
    for at in range(4, 8):
        assert repr(straight.step(at, edges(at))) == repr(upgraded.step(at, edges(at)))
    assert repr(kept(straight)) == repr(kept(upgraded))
    assert not [key for key in upgraded.state if key.startswith("edge/")]


def test_what_an_earlier_release_wrote_of_an_edge_is_read() -> None:
    """As a release with one state an edge had it, the newest window still too thin to be judged."""
    domain = Domain()
    domain.state["edge/web>api"] = domain.fold.load(_WRITTEN.encode())
    domain.step(4)
    (edge,) = kept(domain)
    assert (edge.amplified.windows, edge.excess, len(edge.samples)) == (4, 25.0, 4)
    assert edge.gathering is not None
    assert [one.kind for _, one in domain.all(Incident)] == [IncidentKind.RETRY_AMPLIFICATION]


def _as_written_before(edge: EdgeView) -> bytes:
    def plain(value: Any) -> Any:
        return {name: plain(getattr(value, name)) for name in value._fields} if hasattr(value, "_fields") else value

    table = plain(edge) | {"samples": [plain(sample) for sample in edge.samples]}
    return orjson.dumps(("EdgeView", table))


def test_columns_that_older_records_have_not_are_unknown() -> None:
    record: EdgeObservations = replace(edges(0), completions=())
    assert repr(of_record(record).window["completions"].tolist()) == "[nan]"


_WRITTEN = (
    '["EdgeView",{"domain":"default","observed_at":1700000003.0,"window":{"caller":"web","callee":"api","span":1.0,'
    '"reporters":2.0,"first":3.0,"attempts":5.0,"ok":5.0,"error_local":0.0,"error_downstream":0.0,"rejected":0.0,'
    '"timeout":0.0,"in_flight_max":4.0,"queue_delay_mean":0.001,"queue_delay_max":0.002,"p50":0.01,"p90":null,'
    '"p99":0.03,"completions":null,"cache_hits":null},"baseline":{"first_rate":100.0,"ok_ratio":1.0,"p90":0.02,'
    '"weight":0.0},"place":{"partition":1,"offset":3},"samples":[{"at":1700000000.0,"first":8.0,"attempts":24.0},'
    '{"at":1700000001.0,"first":8.0,"attempts":24.0},{"at":1700000002.0,"first":8.0,"attempts":24.0},'
    '{"at":1700000003.0,"first":3.0,"attempts":5.0}],"amplified":{"windows":4,"covered":4.0,"last":1700000003.0},'
    '"overloaded":{"windows":3,"covered":3.0,"last":1700000002.0},"failing":{"windows":3,"covered":3.0,'
    '"last":1700000002.0},"cut":{"windows":0,"covered":0.0,"last":0.0},"heard":0.0,"piling":{"windows":0,'
    '"covered":0.0,"last":0.0},"excess":25.0,"dues":{"failed":63.0,"lost":0.0,"chance":7.4,"waited":0.0,"usual":1.4},'
    '"gathering":{"caller":"web","callee":"api","span":1.0,"reporters":2.0,"first":3.0,"attempts":5.0,"ok":5.0,'
    '"error_local":0.0,"error_downstream":0.0,"rejected":0.0,"timeout":0.0,"in_flight_max":4.0,'
    '"queue_delay_mean":0.001,"queue_delay_max":0.002,"p50":0.01,"p90":null,"p99":0.03,"completions":null,'
    '"cache_hits":null},"gathered":null}]'
)
