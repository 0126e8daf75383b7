"""Partitions from a matrix of directed links, each of which is known to carry calls or known to carry none.

The kinds are those of Nifty (Alfatafta et al., OSDI 2020), who found 51 partial partitions in 12 systems and reproduced
all of them with five nodes. A link whose traffic nobody expects is in no matrix: silence without expectation means
nothing.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
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
    """Two that do not reach each other while others, one or a chain of them, join them."""
    ONE_WAY = "one-way"
    """One reaches the other and is not reached by it, be it that its answers are."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A cut and its two sides."""

    kind: PartitionKind
    near: tuple[str, ...]
    """The side that is smaller, or whose calls do not arrive."""
    far: tuple[str, ...]
    witness: str = ""
    """Who reaches both sides of a partial partition; empty where a chain of several joins them."""
    links: tuple[Link, ...] = ()
    """The links that are cut."""


def partitions(
    links: Mapping[Link, bool],
    *,
    unheard: Container[Link] = frozenset(),
    unanswered: Container[Link] = frozenset(),
) -> tuple[Partition, ...]:
    """The partitions of a matrix, complete ones first; a cut link belongs to at most one.

    A link whose far end lives and does not hear its calls, or answers them in vain, is cut whoever else is answered.
    Any other may fail because its far end does, unless that answers somebody or works with the near end otherwise.

    Args:
        links: the links on which calls are expected, and whether any succeed.
        unheard: cut links whose calls do not arrive, by the word of the far end, which lives.
        unanswered: cut links whose calls the far end finishes in time: the answers are lost.
    """
    down = {link for link, works in links.items() if not works}
    proven = {link for link in down if link in unheard or link in unanswered}
    down -= {link for link in down - proven if link[1] in _mute(links)}
    if not down:
        return ()
    groups = _groups(links)
    found = list(_complete(groups, {link for link in down if link not in unanswered}))
    explained = {link for one in found for link in one.links}
    answering = {far for (_, far), works in links.items() if works} | {far for _, far in proven}
    singles = _single(links, groups, sorted(down - explained), unanswered)
    found += [one for one in singles if one.kind is not PartitionKind.COMPLETE or one.far[0] in answering]
    return tuple(found)


def _groups(links: Mapping[Link, bool]) -> list[set[str]]:
    """Everybody, in groups joined by links that work, the largest first."""
    up = [link for link, works in links.items() if works]
    return joined({name for link in links for name in link}, up)


def _complete(groups: list[set[str]], down: set[Link]) -> Iterator[Partition]:
    """Pairs of groups, each joined by links that work, with links between them and all of those cut."""
    several = [group for group in groups if len(group) > 1]
    for number, larger in enumerate(several):
        for smaller in several[number + 1 :]:
            cut = sorted(link for link in down if _between(link, larger, smaller))
            if cut:
                yield Partition(PartitionKind.COMPLETE, tuple(sorted(smaller)), tuple(sorted(larger)), links=tuple(cut))


def _between(link: Link, one: set[str], other: set[str]) -> bool:
    return (link[0] in one and link[1] in other) or (link[0] in other and link[1] in one)


def _single(
    links: Mapping[Link, bool], groups: list[set[str]], down: Iterable[Link], unanswered: Container[Link]
) -> Iterator[Partition]:
    reach = _reach(links)
    told: set[frozenset[str]] = set()
    for near, far in down:
        if frozenset((near, far)) in told:
            continue
        told.add(frozenset((near, far)))
        cut = tuple(link for link in ((near, far), (far, near)) if links.get(link) is False)
        group = next(group for group in groups if near in group)
        if links.get((far, near)) or (near, far) in unanswered:
            yield Partition(PartitionKind.ONE_WAY, (near,), (far,), links=((near, far),))
        elif far in group:
            witness = min(reach.get(near, set()) & reach.get(far, set()), default="")
            yield Partition(PartitionKind.PARTIAL, (near,), (far,), witness, cut)
        else:
            # One of them, at least, reaches nobody else: there is no third to tell a partial cut by.
            yield Partition(PartitionKind.COMPLETE, (near,), (far,), links=cut)


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
