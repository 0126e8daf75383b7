"""Lag records from what the fold concluded: intervals, visibility of writes, and what is left of the objective."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import isnan

from snowshed.schemas.records import Lag, PositionUnit
from snowshed.streams.folding import Batch, Emission
from snowshed.streams.lag.group_state import Group
from snowshed.streams.lag.histogram import Shown
from snowshed.streams.lag.interval import Staleness
from snowshed.streams.lag.objectives import Outlook, Severity
from snowshed.streams.lag.quorum_state import SERVER, Quorum
from snowshed.streams.lag.servers import Replica, Source
from snowshed.streams.lag.world import LagState, behind, evidence, found, lost_note
from snowshed.streams.policy import Policy

__all__ = ["emitted", "quorum_lag", "server_lag", "with_budget", "with_visibility"]


def emitted(lag: Lag, rule: str) -> Iterator[Emission]:
    """The record for the table of replicas and for level 2."""
    yield Emission("lag", f"{lag.dataset}/{lag.replica}", lag, rule)
    yield Emission("observations", lag.domain, lag, rule)


def server_lag(
    policy: Policy,
    current: Mapping[str, LagState],
    value: Source | Replica,
    interval: Staleness,
    batch: Batch[object],
) -> Lag:
    """The record of a source or a replica."""
    group = found(current, Group, f"group/{value.dataset}/{value.server}")
    transactions = behind(current, value, PositionUnit.TRANSACTIONS)
    return Lag(
        domain=policy.domain_of_dataset(value.dataset),
        dataset=value.dataset,
        replica=value.server,
        system=value.system,
        status=value.status,
        since=value.since,
        low=interval.low,
        high=interval.high,
        bytes_behind=behind(current, value, PositionUnit.BYTES),
        poll_period=value.poll_period,
        slo=policy.slo_of(value.dataset),
        observed_at=batch.now,
        detector_lag=batch.detector_lag,
        evidence_offset=evidence(current, value),
        evidence_partition=batch.partition,
        transactions_behind=None if isnan(transactions) else transactions,
        condition=value.condition if isinstance(value, Replica) else "",
        note=group.note if group else lost_note(current, value, batch.now),
    )


def quorum_lag(policy: Policy, value: Quorum, condition: str, batch: Batch[object]) -> Lag:
    """The record of a consensus group, which is behind nobody."""
    return Lag(
        domain=policy.domain_of_dataset(value.dataset),
        dataset=value.dataset,
        replica=SERVER,
        system=value.system,
        status=value.status,
        since=value.since,
        low=0.0,
        high=0.0,
        bytes_behind=0.0,
        poll_period=value.poll_period,
        slo=policy.slo_of(value.dataset),
        observed_at=batch.now,
        detector_lag=batch.detector_lag,
        evidence_offset=value.offset,
        evidence_partition=batch.partition,
        tolerates=value.tolerates,
        condition=condition,
        note=value.note,
        inside=value.inside if condition == value.condition else (),
    )


def with_visibility(lag: Lag, shown: Shown | None) -> Lag:
    """The record with times by which shares of the writes are visible."""
    if shown is None:
        return lag
    return replace(
        lag,
        pairs=shown.pairs,
        censored_share=shown.censored_share,
        t50=shown.t50,
        t99=shown.t99,
        t999=shown.t999,
        stale_age=shown.stale_age,
        stale_share=shown.stale_share,
    )


def with_budget(lag: Lag, found: Outlook | None) -> Lag:
    """The record with the state of its dataset's error budget."""
    if found is None:
        return lag
    alert = "" if found.severity is Severity.NONE else found.severity.value
    return replace(lag, burn=found.burn, budget_left=found.remaining, alert=alert)
