"""Single nodes that are cut off, as incidents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.benchmarks.single_nodes import Trial, played
from tests.unit.streams.cascade.domain_script import CODEC, Domain, edges, node

from snowshed.schemas.errors import SchemaMismatch
from snowshed.schemas.records import EdgeObservations, Incident, IncidentKind, IncidentStatus, Liveness, NodeHealth
from snowshed.streams.cascade.observations import read
from snowshed.streams.folding import Message

_NODES = ("web-1", "web-2")


def seen(at: float, *cut: tuple[int, str], ok: float = 60.0) -> EdgeObservations:
    """web calls api and db; these nodes of web are cut off from the callees of these rows."""
    record = edges(at, {"ok": ok, "timeout": 100.0 - ok}, {"callee": "db"})
    strings = (*record.strings, *_NODES)
    return replace(
        record,
        strings=strings,
        cut_edge=tuple(float(row) for row, _ in cut),
        cut_node=tuple(float(strings.index(name)) for _, name in cut),
        cut_calls=(40.0,) * len(cut),
    )


def beats(at: float, **status: Liveness) -> list[NodeHealth]:
    """web-1, web-2 and api-1 beat, or not."""
    found = {"web-1": Liveness.ALIVE, "web-2": Liveness.ALIVE, "api-1": Liveness.ALIVE}
    found |= {name.replace("_", "-"): value for name, value in status.items()}
    return [node(at, value, since=0, name=name, service=name.partition("-")[0]) for name, value in found.items()]


def partitions(domain: Domain) -> list[tuple[float, Incident]]:
    return [(at, one) for at, one in domain.all(Incident) if one.kind is IncidentKind.PARTITION]


def test_a_node_that_is_cut_off_is_named_with_the_services_it_does_not_reach() -> None:
    domain = Domain(round_trip=True)
    domain.step(0, *beats(0), seen(0, ok=100.0))
    domain.step(1, *beats(1), seen(1, (0, "web-2"), (1, "web-2")))
    domain.step(2, *beats(2), seen(2, ok=100.0))
    (at, opened), *_, (end, closed) = partitions(domain)
    assert (at, opened.subject, opened.members) == (1, "web-2", ("web", "api", "db"))
    assert opened.summary.startswith("No call of web-2 to api, db succeeds, while those of other nodes of web do")
    assert [(cause.name, cause.score) for cause in opened.causes] == [("web-2", 1.0)]
    assert [item.value for item in opened.evidence] == [40.0, 40.0]
    assert (end, closed.status) == (2, IncidentStatus.CLOSED)
    assert closed.summary == "Calls of web-2 succeed again, or it makes none any more."


@pytest.mark.parametrize(
    "status",
    [{"web_2": Liveness.DEAD}, {"web_2": Liveness.LEFT}, {"api_1": Liveness.SUSPECT}, {"api_1": Liveness.DEAD}],
)
def test_what_a_node_that_does_not_beat_explains_is_no_cut(status: dict[str, Liveness]) -> None:
    domain = Domain()
    for at in range(4):
        domain.step(at, *beats(at, **status), seen(at, (0, "web-2")))
    assert not partitions(domain)


@pytest.mark.parametrize(("mute", "accused"), [(40.0, set[str]()), (5.0, {"api"})])
def test_a_callee_is_judged_without_the_calls_of_nodes_that_do_not_reach_it(mute: float, accused: set[str]) -> None:
    domain = Domain()
    for at in range(8):
        domain.step(at, *beats(at), replace(seen(at), mute_edge=(0.0,), mute_calls=(mute,)))
    assert {one.subject for _, one in domain.all(Incident)} == accused


@pytest.mark.parametrize("refused", [False, True])
def test_nobody_is_told_of_the_callee_before_the_node_is_named(refused: bool) -> None:
    found = played(Trial(nodes=3, rate=50.0, trouble="two", seed=20_261_125, refused=refused))
    assert [found.names(one) for _, one in found.alone] == [True]
    assert found.told == 0


def test_where_the_whole_service_is_cut_off_its_nodes_are_not_named_beside_it() -> None:
    domain = Domain()
    domain.step(0, *beats(0), seen(0, ok=0.0))
    for at in range(1, 4):
        domain.step(at, *beats(at), seen(at, (0, "web-2"), ok=0.0))
    assert {one.subject for _, one in partitions(domain)} <= {"web|api", "web>api"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"cut_node": ()},
        {"cut_edge": (2.0,)},
        {"cut_node": (9.0,)},
        {"cut_edge": (-1.0,)},
        {"mute_edge": (0.0,)},
        {"mute_edge": (2.0,), "mute_calls": (1.0,)},
        {"mute_edge": (0.0,), "mute_calls": (-1.0,)},
    ],
)
def test_nodes_that_stand_beside_no_row_are_rejected(wrong: dict[str, Any]) -> None:
    value = CODEC.encode(replace(seen(0, (0, "web-2")), **wrong))
    [reject] = read([Message(0, 0.0, None, value)], CODEC).rejects
    assert isinstance(reject.error, SchemaMismatch)
