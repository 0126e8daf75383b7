"""How a dataset stands in a cut, from one step to the next: which servers take no writes, and whether reads are marked.

A fence begins on proof alone: the matrix shows a cut and the store says that a side cannot commit. It ends on proof
alone, server by server: so many reports of the store in a row must say that the server takes part in a majority. A
server that has no vote, such as a database beside the group that chooses its leader, must reach one that takes part
meanwhile. What is silent, old or contradictory changes nothing in either direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from snowshed.streams.consistency.sides import Evidence, Side

__all__ = ["Cut", "Stance", "fenced", "marking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A dataset's cut as it is seen now."""

    dataset: str
    domain: str
    sides: tuple[Side, ...]
    """None where there is no cut."""
    evidence: Evidence | None
    """What the store said last; None where that is too old or was never heard."""
    reaching: frozenset[str] = frozenset()
    """Servers that calls join to one that takes part in the majority."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """What is remembered of a dataset while something is decided about its consistency."""

    dataset: str
    domain: str
    since: float
    fenced: tuple[str, ...] = ()
    """Servers that take no writes."""
    proofs: tuple[int, ...] = ()
    """Of each of them, the store's reports in a row that say that it takes part."""
    reported: int = -1
    """Number of the store's newest report that has been counted."""
    marked: bool = False
    """Whether answers are marked with their age."""

    @property
    def key(self) -> str:
        """State key."""
        return f"stance/{self.dataset}"


def fenced(held: Stance | None, cut: Cut, now: float, *, unfence: int) -> Stance | None:
    """The stance of a `cp` dataset after this step; None where no server is fenced.

    Args:
        held: the stance so far.
        cut: what is seen now.
        now: seconds since the Unix epoch.
        unfence: reports in a row that take a server's fence back.
    """
    held = held or Stance(dataset=cut.dataset, domain=cut.domain, since=now)
    counted = _counted(held, cut)
    begun = {server for side in cut.sides if side.holds is False for server in side.servers}
    kept = {server: proofs for server, proofs in counted.items() if proofs < unfence}
    proofs = {**kept, **dict.fromkeys(begun, 0)}
    if not proofs:
        return None
    reported = held.reported if cut.evidence is None else max(held.reported, cut.evidence.report)
    names = sorted(proofs)
    return replace(
        held, fenced=tuple(names), proofs=tuple(proofs[name] for name in names), reported=reported, marked=False
    )


def marking(
    held: Stance | None, cut: Cut, ages: Iterable[float], now: float, *, bound: float, fresh: float
) -> Stance | None:
    """The stance of an `ap` dataset after this step; None where its answers need no mark.

    Args:
        held: the stance so far.
        cut: what is seen now.
        ages: how old an answer of each server may be, NaN where nobody knows.
        now: seconds since the Unix epoch.
        bound: what its answers may be.
        fresh: share of the bound within which every server must be before the mark is dropped.
    """
    if held is None:
        return Stance(dataset=cut.dataset, domain=cut.domain, since=now, marked=True) if cut.sides else None
    if cut.sides or not all(age < fresh * bound for age in ages):
        return replace(held, marked=True, fenced=(), proofs=())
    return None


def _counted(held: Stance, cut: Cut) -> Mapping[str, int]:
    """The proofs of each fenced server with one report more, where there is one."""
    proofs, evidence = dict(zip(held.fenced, held.proofs, strict=True)), cut.evidence
    if evidence is None or evidence.report <= held.reported:
        return proofs
    proved = evidence.inside | (cut.reaching - evidence.voters) if evidence.commits else frozenset[str]()
    return {server: count + 1 if server in proved else 0 for server, count in proofs.items()}
