"""From counted statements to calls by caller, operation and fingerprint."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from snowshed.producers.collectors.base import CallTiming
from snowshed.producers.collectors.postgres.deltas import Counters, Ranking, StatementKey
from snowshed.producers.instrument.fingerprint import fingerprint

__all__ = ["OTHER", "OWN_MARK", "Statement", "call_timings", "describe", "statement_kind"]

OWN_MARK = "/* snowshed */"
"""Stands in every statement of the agent, after the first word because the server drops what comes before it."""

_LEADING = re.compile(r"(?>[\s(;]|--[^\n]*(?:\n|$)|/\*.*?\*/)*+([A-Za-z]+)", re.DOTALL)
_KINDS = frozenset(
    (
        *("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE", "COPY", "CALL", "FETCH"),
        *("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "LOCK"),
        *("VACUUM", "ANALYZE", "REFRESH", "TRUNCATE"),
    )
)


class Statement(NamedTuple):
    """What identifies a statement to people and to the callers' own timings."""

    operation: str
    fingerprint: str


OTHER = Statement("OTHER", "")
"""Stands for statements that are not told apart."""


def statement_kind(text: str) -> str:
    """The statement's first keyword in capitals, such as SELECT; OTHER for what no service calls day by day."""
    match = _LEADING.match(text)
    word = match[1].upper() if match else ""
    return word if word in _KINDS else OTHER.operation


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
            latencies.setdefault((key.role, statement), []).append((mean, delta.calls))
    return tuple(
        CallTiming(caller=role, operation=operation, statement=print_, latencies=tuple(means))
        for (role, (operation, print_)), means in latencies.items()
    )


def _labelled(ranking: Ranking, known: Mapping[int, Statement]) -> Iterable[tuple[StatementKey, Counters, Statement]]:
    for key, delta in ranking.top:
        yield key, delta, known.get(key.queryid, OTHER)
    for key, delta in ranking.rest:
        yield key, delta, OTHER
