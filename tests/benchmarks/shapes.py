"""Call graphs unlike those of the corpus, each hit by the same troubles: what is seen must not rest on one shape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.report import Figure

from snowshed.streams.policy import Policy
from snowshed.streams.scoring import CaseScore, Score, score, score_case
from snowshed.streams.simulate.corpus import outages, write_case
from snowshed.streams.simulate.corpus.case import Case
from snowshed.streams.simulate.queueing.fleet import Budget, Fleet, Link, Load, Retries, Service

__all__ = ["cases", "figures"]

_RETRIES = Retries(limit=2, backoff=0.05, budget=Budget(ratio=0.1, depth=10.0))


def _service(name: str, capacity: float, replicas: int = 1) -> Service:
    return Service(name=name, capacity=capacity, replicas=replicas)


def _link(caller: str, callee: str, calls: float = 1.0) -> Link:
    return Link(caller=caller, callee=callee, calls=calls, timeout=1.0, retries=_RETRIES)


def _fleet(services: tuple[Service, ...], links: tuple[Link, ...], rate: float) -> Fleet:
    entry = Link(caller="users", callee=services[0].name, retries=Retries(limit=1, backoff=0.2))
    return Fleet(
        services=services,
        links=(entry, *links),
        loads=(Load(caller="users", callee=services[0].name, rate=rate),),
    )


STAR = _fleet(
    (_service("hub", 300.0), *(_service(f"leaf{number}", 90.0, 2) for number in range(5))),
    tuple(_link("hub", f"leaf{number}", 0.5) for number in range(5)),
    40.0,
)
"""One that calls five, each of which has no other caller."""
CHAIN = _fleet(
    (_service("a", 250.0), _service("b", 180.0, 2), _service("c", 150.0, 2), _service("d", 120.0, 3)),
    (_link("a", "b"), _link("b", "c"), _link("c", "d", 0.9)),
    30.0,
)
MESH = _fleet(
    (_service("m1", 300.0), _service("m2", 200.0, 2), _service("m3", 200.0, 2), _service("m4", 260.0, 3)),
    (
        _link("m1", "m2", 0.7),
        _link("m1", "m3", 0.6),
        _link("m1", "m4", 0.5),
        _link("m2", "m3", 0.4),
        _link("m2", "m4", 0.6),
        _link("m3", "m4", 0.7),
    ),
    40.0,
)
"""Each calls all further down."""
QUIET = _fleet(
    (_service("site", 60.0), _service("cart", 30.0, 2), _service("mail", 25.0)),
    (_link("site", "cart", 0.8), _link("cart", "mail", 0.7)),
    7.0,
)
"""A few calls a second."""


def cases() -> Iterator[tuple[str, Case]]:
    """The cases by name; seeds from 2001 on, which are neither the corpus's nor chosen."""
    edges = {
        "star": (STAR, ("hub", "leaf2"), ("leaf3", 1)),
        "chain": (CHAIN, ("b", "c"), ("d", 0)),
        "mesh": (MESH, ("m2", "m4"), ("m4", 1)),
        "quiet": (QUIET, ("site", "cart"), ("cart", 1)),
    }
    for number, (shape, (fleet, edge, node)) in enumerate(edges.items()):
        seed = 2001 + 10 * number
        yield f"{shape}-cut", outages.one_edge(seed, fleet, 45.0, edge, 15.0, one_way=False)
        yield f"{shape}-one-way", outages.one_edge(seed + 1, fleet, 45.0, edge, 15.0, one_way=True)
        yield f"{shape}-apart", outages.complete(seed + 2, fleet, 45.0, (edge[1],), rate=10.0, trouble=15.0)
        yield f"{shape}-failing", outages.gray_node(seed + 3, fleet, 45.0, node, speed=1.0, failing=0.5)
        yield f"{shape}-slow", outages.gray_node(seed + 4, fleet, 45.0, node, speed=0.08, failing=0.0)
        yield (
            f"{shape}-capacity",
            outages.capacity_loss(seed + 5, fleet, 45.0, edge[1], factor=0.15, trouble=15.0),
        )


def scored(policy: Policy, quick: bool = False) -> Iterator[tuple[str, CaseScore]]:
    """Each case, made and judged."""
    with TemporaryDirectory() as folder:
        for name, case in list(cases())[: 2 if quick else None]:
            label = write_case(Path(folder), name, case)
            yield name, score_case(Path(folder) / f"{name}.jsonl.gz", label, policy)


def figures(quick: bool = False) -> Iterator[Figure]:
    """How many are found, called what they are, and blamed on what began them."""
    found = [one for _, one in scored(Policy(), quick)]
    total: Score = score(found)
    name, unit = "stars, chains, meshes, quiet fleets", f"of {total.cases}"
    yield Figure.of(f"{name}: found", unit, [float(total.alarms.detected)])
    yield Figure.of(f"{name}: right kind", unit, [float(sum(one.outcome.kind_right for one in found))])
    yield Figure.of(f"{name}: trigger first", unit, [float(sum(one.outcome.naming.top1 for one in found))])
    yield Figure.of(
        f"{name}: until the first incident",
        "s",
        [one.outcome.alarms.delay for one in found if one.outcome.alarms.delay is not None],
    )
