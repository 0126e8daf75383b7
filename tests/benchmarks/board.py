"""What one step of level 2 costs over 1 000 services and 10 000 edges, in processor time of its thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import thread_time
from types import MappingProxyType
from typing import NamedTuple

from tests.benchmarks.shown import spread
from tests.unit.streams.cascade.domain_script import CODEC, RETRYING, START, edges

from snowshed.streams.cascade import DomainFold, DomainState
from snowshed.streams.folding import Batch, Message
from snowshed.streams.policy import Policy

__all__ = ["STATES", "Ticks", "board", "ticks"]

SERVICES = 1000
CALLERS = 10
STATES: Mapping[str, int] = MappingProxyType({"all well": 0, "20 services fail": 20, "all services fail": SERVICES})
"""How many services fail, by name."""
_WARM = 14
_FAILS = 11


class Ticks(NamedTuple):
    """Milliseconds of processor time."""

    idle: list[float]
    """Of a tick without observations."""
    full: list[float]
    """Of a second's observations of all edges at once."""


def board(seeds: int) -> Iterator[str]:
    """One step of level 2 over 1 000 services and 10 000 edges, CPU time of this thread."""
    yield "| state of the domain | tick, ms: median (p5–p95) | a second's observations of all edges at once, ms |"
    yield "|---|--:|--:|"
    for name, failing in STATES.items():
        found = ticks(failing, max(seeds // 2, 3))
        yield f"| {name} | {spread(found.idle)} | {spread(found.full)} |"


def ticks(failing: int, repeats: int, services: int = SERVICES) -> Ticks:
    """Measure a domain in which so many of its services fail."""
    fold, state = DomainFold(Policy()), dict[str, DomainState]()
    found = Ticks([], [])
    for second in range(_WARM + repeats):
        value = CODEC.encode(edges(second, *_rows(services, failing if second > _FAILS else 0)))
        cost = _step(fold, state, START + second, value)
        if second >= _WARM:
            found.full.append(cost)
            found.idle.extend(_step(fold, state, START + second + part / 4, None) for part in (1, 2, 3))
    return found


def _rows(services: int, failing: int) -> Iterator[dict[str, object]]:
    for callee in range(services):
        bad: Mapping[str, object] = RETRYING if callee < failing else {}
        for number in range(CALLERS):
            caller = f"s{(callee * 37 + 13 * number + 1) % services}"
            yield {"callee": f"s{callee}", "caller": caller, "completions": 100.0, **bad}


def _step(fold: DomainFold, state: dict[str, DomainState], now: float, value: bytes | None) -> float:
    decoded = fold.decode([] if value is None else [Message(0, now, b"default", value)])
    begun = thread_time()
    step = fold.step(state, Batch(1, 0, 1, 1, now, True, 0.0, decoded.records))
    cost = (thread_time() - begun) * 1000.0
    for key, changed in step.changes.items():
        if changed is None:
            state.pop(key, None)
        else:
            state[key] = changed
    return cost
