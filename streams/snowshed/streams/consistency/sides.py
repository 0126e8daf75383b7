"""The sides of a cut between a dataset's servers, and which of them the store itself says can commit.

The matrix of calls says who reaches whom; it never says who is right, for the smaller side of the matrix may be the one
with the majority of the voters. That only the store can say, so a side holds or does not by the store's own reports,
and while those do not tell, or contradict the matrix, nothing is proved about any side.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from snowshed.streams.reachability import Link
from snowshed.streams.stability.branching import joined

__all__ = ["Evidence", "Side", "reaching", "sides"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the store says of itself."""

    report: int
    """Number of the report, which grows with each new one."""
    commits: bool | None
    """Whether a majority takes part; None where its reports do not tell."""
    inside: frozenset[str] = frozenset()
    """Servers that are known to take part in it."""
    voters: frozenset[str] = frozenset()
    """Servers that have a part in majorities; of any other the store says nothing."""


@dataclass(frozen=True, slots=True)
class Side:
    """Servers that reach each other and none of another side."""

    servers: tuple[str, ...]
    holds: bool | None
    """Whether it can commit; None while nothing proves it."""


def sides(places: Mapping[str, str], links: Mapping[Link, bool], evidence: Evidence | None) -> tuple[Side, ...]:
    """The sides of the cut, the largest first; none where no cut runs between the servers.

    A link works where calls on it succeed and none expected in the other direction all fail: an answer needs both.

    Args:
        places: the servers, each with its name in the matrix.
        links: the links on which calls are expected, and whether any succeed.
        evidence: what the store said last; None where that is too old or was never heard.
    """
    groups = _groups(links)
    found = [tuple(sorted(server for server, place in places.items() if place in group)) for group in groups]
    parted = _parted(groups, links)
    apart = [servers for number, servers in enumerate(found) if servers and number in parted]
    if len(apart) < 2:
        return ()
    standing = _standing(apart, evidence)
    order = sorted(apart, key=lambda servers: (-len(servers), servers))
    return tuple(Side(servers, standing.get(servers)) for servers in order)


def reaching(places: Mapping[str, str], links: Mapping[Link, bool], inside: AbstractSet[str]) -> frozenset[str]:
    """The servers that calls join to one of those inside, by links that work."""
    beside = [group for group in _groups(links) if any(places.get(server) in group for server in inside)]
    return frozenset(server for server, place in places.items() if any(place in group for group in beside))


def _groups(links: Mapping[Link, bool]) -> list[set[str]]:
    up = [link for link, works in links.items() if works and links.get((link[1], link[0]), True)]
    return joined({name for link in links for name in link}, up)


def _parted(groups: list[set[str]], links: Mapping[Link, bool]) -> set[int]:
    """Numbers of the groups across whose border calls are made that do not arrive."""
    number_of = {name: number for number, group in enumerate(groups) for name in group}
    return {number_of[name] for link, works in links.items() if not works for name in link}


def _standing(apart: list[tuple[str, ...]], evidence: Evidence | None) -> Mapping[tuple[str, ...], bool]:
    if evidence is None or evidence.commits is None:
        return {}
    if not evidence.commits:
        return dict.fromkeys(apart, False)
    holding = [servers for servers in apart if evidence.inside.intersection(servers)]
    # Two sides of one majority, or a majority that is on none of them: the matrix and the store do not fit together.
    return {servers: servers == holding[0] for servers in apart} if len(holding) == 1 else {}
