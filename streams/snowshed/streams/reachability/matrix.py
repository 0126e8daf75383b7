"""Partitions from a matrix of directed links, each of which is known to carry calls or known to carry none.

The kinds are those of Nifty (Alfatafta et al., OSDI 2020), who found 51 partial partitions in 12 systems and reproduced
all of them with five nodes. A link whose traffic nobody expects is in no matrix: silence without expectation means
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from snowshed.streams.stability.branching import joined

__all__ = ["Link", "Partition", "PartitionKind", "partitions"]

Link = tuple[str, str]
"""From whom to whom."""


class PartitionKind(Enum):
    """What is cut."""

    COMPLETE = "complete"
    """Two groups that work among themselves and do not reach each other."""
    PARTIAL = "partial"
    """Two that do not reach each other while a third reaches both."""
    ONE_WAY = "one-way"
    """One reaches the other and is not reached by it."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A cut and its two sides."""

    kind: PartitionKind
    near: tuple[str, ...]
    """The side that is smaller, or whose calls do not arrive."""
    far: tuple[str, ...]
    witness: str = ""
    """Who reaches both sides of a partial partition."""
    links: tuple[Link, ...] = ()
    """The links that are cut."""


def partitions(links: Mapping[Link, bool]) -> tuple[Partition, ...]:
    """The partitions of a matrix, complete ones first; a cut link belongs to at most one.

    Args:
        links: the links on which calls are expected, and whether any succeed.
    """
    down = {link for link, works in links.items() if not works}
    if not down:
        return ()
    found = list(_complete(links, down))
    explained = {link for one in found for link in one.links}
    found += _single(links, sorted(down - explained))
    return tuple(found)


def _complete(links: Mapping[Link, bool], down: set[Link]) -> Iterator[Partition]:
    """Pairs of groups, each joined by links that work, with at least two links between them and all of those cut."""
    up = [link for link, works in links.items() if works]
    groups = [group for group in joined({name for link in up for name in link}, up) if len(group) > 1]
    for number, larger in enumerate(groups):
        for smaller in groups[number + 1 :]:
            cut = sorted(link for link in down if _between(link, larger, smaller))
            if len(cut) > 1:
                yield Partition(PartitionKind.COMPLETE, tuple(sorted(smaller)), tuple(sorted(larger)), links=tuple(cut))


def _between(link: Link, one: set[str], other: set[str]) -> bool:
    return (link[0] in one and link[1] in other) or (link[0] in other and link[1] in one)


def _single(links: Mapping[Link, bool], down: Iterable[Link]) -> Iterator[Partition]:
    reach = _reach(links)
    mute = _mute(links)
    told: set[frozenset[str]] = set()
    for near, far in down:
        if far in mute or frozenset((near, far)) in told:
            continue
        if links.get((far, near)):
            told.add(frozenset((near, far)))
            yield Partition(PartitionKind.ONE_WAY, (near,), (far,), links=((near, far),))
            continue
        witness = min(reach.get(near, set()) & reach.get(far, set()), default="")
        if witness:
            told.add(frozenset((near, far)))
            cut = tuple(link for link in ((near, far), (far, near)) if links.get(link) is False)
            yield Partition(PartitionKind.PARTIAL, (near,), (far,), witness, cut)


def _mute(links: Mapping[Link, bool]) -> set[str]:
    """Those whom several call and who answer nobody: they fail, and no path to them does."""
    into: dict[str, list[bool]] = {}
    for (_, far), works in links.items():
        into.setdefault(far, []).append(works)
    return {far for far, answers in into.items() if len(answers) > 1 and not any(answers)}


def _reach(links: Mapping[Link, bool]) -> Mapping[str, set[str]]:
    """By name, who reaches it or is reached by it."""
    reach: dict[str, set[str]] = {}
    for (near, far), works in links.items():
        if works:
            reach.setdefault(near, set()).add(far)
            reach.setdefault(far, set()).add(near)
    return reach
