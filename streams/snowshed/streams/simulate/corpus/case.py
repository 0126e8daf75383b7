"""A case of the corpus: a scenario, its seed, and what counts as right."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.streams.simulate.queueing.fleet import Fleet
from snowshed.streams.simulate.queueing.scenario import Scenario
from snowshed.streams.simulate.queueing.troubles import Trouble

__all__ = ["EXPECTED", "Case", "case"]

EXPECTED: dict[str, tuple[str, ...]] = {
    "retry_storm": ("retry_amplification", "metastable"),
    "cold_cache": ("metastable", "overload"),
    "capacity_loss": ("capacity_loss", "cascade"),
    "gray_node": ("gray_failure",),
    "partition_complete": ("partition",),
    "partition_partial": ("partition",),
    "partition_one_way": ("partition",),
    "replication_lag": ("replica_lag",),
    "deploy": (),
    "daily_curve": (),
    "benign_spike": (),
    "benign_flush": (),
}
"""Kinds of cases, and the kinds of incidents that count as right for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case."""

    kind: str
    scenario: Scenario
    seed: int
    trigger: tuple[str, ...]
    """Names that count as naming the trigger."""


def case(
    kind: str,
    fleet: Fleet,
    *troubles: Trouble,
    seed: int,
    seconds: int,
    says: str,
    trigger: tuple[str, ...] = (),
) -> Case:
    """Put a case together.

    Args:
        kind: of `EXPECTED`.
        fleet: whom it befalls.
        troubles: what befalls it.
        seed: of all that is random.
        seconds: its length.
        says: what is done, in a few words.
        trigger: names that count as naming it.
    """
    scenario = Scenario(name=kind, description=says, fleet=fleet, troubles=troubles, seconds=seconds)
    return Case(kind=kind, scenario=scenario, seed=seed, trigger=trigger)
