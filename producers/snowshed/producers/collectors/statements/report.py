"""From counted statements to calls by caller, operation and fingerprint."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from snowshed.producers.collectors.base import CallTiming
from snowshed.producers.collectors.statements.deltas import Counters, Ranking, StatementKey
from snowshed.producers.instrument.fingerprint import fingerprint, statement_kind

__all__ = ["OTHER", "Statement", "call_timings", "describe"]


class Statement(NamedTuple):
    """What identifies a statement to people and to the callers' own timings."""

    operation: str
    fingerprint: str


OTHER = Statement("OTHER", "")
"""Stands for statements that are not told apart."""


def describe(text: str) -> Statement:
    """What a statement's text says of it."""
    return Statement(statement_kind(text), fingerprint(text))


def call_timings(
    ranking: Ranking, known: Mapping[int, Statement], *, without: Container[int]
) -> tuple[CallTiming, ...]:
    """One timing for each caller and statement; what is not `known` or not at the top is summed as `OTHER`.

    A server counts apart what has one fingerprint, such as lists of different lengths; those are summed too.
    """
    latencies: dict[tuple[str, Statement], list[tuple[float, int]]] = {}
    for key, delta, statement in _labelled(ranking, known):
        if key.queryid not in without:
            mean = delta.seconds / delta.calls
            latencies.setdefault((key.caller, statement), []).append((mean, delta.calls))
    return tuple(
        CallTiming(caller=caller, operation=operation, statement=print_, latencies=tuple(means))
        for (caller, (operation, print_)), means in latencies.items()
    )


def _labelled(ranking: Ranking, known: Mapping[int, Statement]) -> Iterable[tuple[StatementKey, Counters, Statement]]:
    for key, delta in ranking.top:
        yield key, delta, known.get(key.queryid, OTHER)
    for key, delta in ranking.rest:
        yield key, delta, OTHER
