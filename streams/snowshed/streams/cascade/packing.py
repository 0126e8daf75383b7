"""The bytes of all edges into one callee: names as JSON, and after a line break their numbers as little-endian doubles.

Each edge is one row of numbers: its newest window, what is usual, its streaks and sums, how many samples follow and
whether windows that were gathered do, then those. Thousands of these are written in a second, and numbers in text take
ten times as long and three times the room.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from math import isnan, nan
from struct import pack, unpack_from

import orjson

from snowshed.streams.cascade.dues import Dues
from snowshed.streams.cascade.inbound import Inbound, inbound
from snowshed.streams.cascade.observations import Place
from snowshed.streams.cascade.views import EdgeView, Sample, Streak
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.window import EdgeWindow

__all__ = ["BEGIN", "packed", "unpacked"]

BEGIN = b'{"inbound":1,'
"""What the bytes begin with, the version of their layout in it."""
_NUMBER = 8
_WINDOW = len(EdgeWindow._fields) - 2
_STREAK, _DUES, _SAMPLE = len(Streak._fields), len(Dues._fields), len(Sample._fields)


def packed(value: Inbound) -> bytes:
    """The edges as bytes."""
    names = orjson.dumps(
        {
            "inbound": 1,
            "callee": value.callee,
            "callers": [edge.window.caller for edge in value.edges],
            "domains": [edge.domain for edge in value.edges],
            "cut": [[row, *one] for row, edge in enumerate(value.edges) for one in edge.cut_nodes],
        }
    )
    numbers = list(chain.from_iterable(map(_row, value.edges)))
    return b"%b\n%b" % (names, pack(f"<{len(numbers)}d", *numbers))


def unpacked(raw: bytes) -> Inbound:
    """The edges that `packed` was given."""
    end = raw.index(b"\n")
    names = orjson.loads(raw[:end])
    found = unpack_from(f"<{(len(raw) - end - 1) // _NUMBER}d", raw, end + 1)
    # One object for every NaN, as in the rest of a state that is read back: values that hold it are compared.
    numbers = iter([nan if isnan(number) else number for number in found])
    callee = names["callee"]
    edges = [
        _edge(domain, caller, callee, numbers)
        for domain, caller in zip(names["domains"], names["callers"], strict=True)
    ]
    for row, node, calls in names["cut"]:
        edges[row] = edges[row]._replace(cut_nodes=(*edges[row].cut_nodes, (node, calls)))
    return inbound(callee, edges)


def _row(edge: EdgeView) -> list[float]:
    # All fields at once: to take each by its name costs as much as all that is done with them.
    _, at, window, baseline, place, samples, amplified, overloaded, failing, cut, heard, piling, excess, dues, *_ = edge
    gathering, gathered = edge.gathering, edge.gathered
    row = [
        *window[2:],
        *baseline,
        at,
        place.partition,
        place.offset,
        *amplified,
        *overloaded,
        *failing,
        *cut,
        *piling,
        *dues,
        heard,
        excess,
        len(samples),
        gathering is not None,
        gathered is not None,
        *chain.from_iterable(samples),
    ]
    for several in (gathering, gathered):
        if several is not None:
            row += several[2:]
    return row


def _edge(domain: str, caller: str, callee: str, numbers: Iterator[float]) -> EdgeView:
    window = EdgeWindow(caller, callee, *_taken(numbers, _WINDOW))
    baseline = Baseline(*_taken(numbers, 4))
    observed_at, partition, offset = _taken(numbers, 3)
    amplified, overloaded, failing, cut, piling = (_streak(numbers) for _ in range(5))
    dues = Dues(*_taken(numbers, _DUES))
    heard, excess, samples, gathers, has_gathered = _taken(numbers, 5)
    return EdgeView(
        domain=domain,
        observed_at=observed_at,
        window=window,
        baseline=baseline,
        place=Place(int(partition), int(offset)),
        samples=tuple(Sample(*_taken(numbers, _SAMPLE)) for _ in range(int(samples))),
        amplified=amplified,
        overloaded=overloaded,
        failing=failing,
        cut=cut,
        heard=heard,
        piling=piling,
        excess=excess,
        dues=dues,
        gathering=EdgeWindow(caller, callee, *_taken(numbers, _WINDOW)) if gathers else None,
        gathered=EdgeWindow(caller, callee, *_taken(numbers, _WINDOW)) if has_gathered else None,
    )


def _taken(numbers: Iterator[float], count: int) -> list[float]:
    return [next(numbers) for _ in range(count)]


def _streak(numbers: Iterator[float]) -> Streak:
    windows, covered, last = _taken(numbers, _STREAK)
    return Streak(int(windows), covered, last)
