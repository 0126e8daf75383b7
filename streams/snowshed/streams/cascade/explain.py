"""An incident in a few lines that a tired person understands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from math import isnan

from snowshed.schemas.records import (
    Consistency,
    ConsistencyMode,
    Decision,
    DecisionMode,
    Evidence,
    Incident,
    IncidentKind,
    IncidentStatus,
)

__all__ = ["explain"]

_ENDS = {
    IncidentKind.NODE_FAILED: "the node beats again or says that it leaves",
    IncidentKind.REPLICA_LAG: "the replica is proved to be inside its objective",
    IncidentKind.CONSUMER_GROUP: "the group commits again and comes nearer",
    IncidentKind.QUORUM: "the group has a leader and can lose a member again",
    IncidentKind.RETRY_AMPLIFICATION: "retries stay low and calls succeed for some seconds",
    IncidentKind.METASTABLE: "calls have been answered in time for some seconds",
    IncidentKind.CASCADE: "fewer than two services that call each other fail",
    IncidentKind.GRAY_FAILURE: "callers no longer see more failures than usual",
    IncidentKind.PARTITION: "calls arrive across it again",
    IncidentKind.CAPACITY_LOSS: "it does its usual work again",
    IncidentKind.DIVIDED: "the store proves that the servers belong together again",
    IncidentKind.DETECTOR: "observations are complete and in time again",
    IncidentKind.CLOCK: "the clocks are right again, within half of the limit",
    IncidentKind.OVERLOAD: "queue delay, latency and success ratio stay normal for some seconds",
}


def explain(incident: Incident, decisions: Iterable[Decision] = ()) -> str:
    """What happened, since when, to whom, what proves it, what was decided and what ends it.

    Args:
        incident: the newest record of the incident.
        decisions: decisions that name it, in any order; of each actuator only the newest is told.
    """
    return "\n".join(_lines(incident, _newest(incident, decisions)))


def _lines(incident: Incident, decisions: list[Decision]) -> Iterator[str]:
    yield incident.summary
    yield f"  since     {_clock(incident.opened_at)}{_duration(incident)}"
    yield f"  concerns  {', '.join(incident.members) or incident.subject}"
    for cause in incident.causes:
        yield f"  cause     {cause.name} ({cause.score:.0%}){f': {cause.reason}' if cause.reason else ''}"
    if incident.predicted:
        yield f"  next      {', '.join(incident.predicted)}"
    if incident.part_of:
        yield f"  part of   {incident.part_of}"
    for item in incident.evidence:
        yield f"  evidence  {_evidence(item)}"
    for decision in decisions:
        yield f"  decided   {_decision(decision)}"
    if not decisions:
        yield "  decided   nothing"
    if incident.status is IncidentStatus.OPEN:
        yield f"  ends when {_ENDS[incident.kind]}"
    yield f"  certainty {incident.confidence:.0%}, incident {incident.incident_id}"


def _newest(incident: Incident, decisions: Iterable[Decision]) -> list[Decision]:
    newest: dict[tuple[str, str], Decision] = {}
    for decision in decisions:
        key = (decision.scope, decision.kind.value)
        held = newest.get(key)
        newer = held is None or (decision.epoch, decision.seq) > (held.epoch, held.seq)
        if decision.incident_id == incident.incident_id and newer:
            newest[key] = decision
    return [newest[key] for key in sorted(newest)]


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _duration(incident: Incident) -> str:
    if incident.closed_at is None:
        return ", still open"
    return f", closed after {incident.closed_at - incident.opened_at:.0f} s"


def _evidence(item: Evidence) -> str:
    against = "" if isnan(item.threshold) else f" (limit {_number(item.threshold)})"
    place = f"{item.topic}[{item.partition}]@{item.offset}"
    unit = "" if item.unit == "ratio" else f" {item.unit}"
    return f"{item.series} = {_number(item.value)}{unit}{against} at {_clock(item.at)}, {place}"


def _number(value: float) -> str:
    return f"{value:.3g}"


def _decision(decision: Decision) -> str:
    state = "" if decision.active else "lifted: "
    mode = " (shadow: counted, not enforced)" if decision.mode is DecisionMode.SHADOW else ""
    ordered = f" ({decision.reason})" if decision.order_id else ""
    return f"{state}{decision.kind.value} of {decision.scope}: {_values(decision)}{mode}{ordered}"


def _values(decision: Decision) -> str:
    said: list[str] = []
    if decision.retry_budget is not None:
        said.append(f"retries at most {decision.retry_budget:.0%} of requests, {decision.attempt_cap} attempts")
    if decision.rate_multiplier is not None and decision.absolute_cap is not None:
        said.append(f"{decision.rate_multiplier:.0%} of the usual rate, {decision.absolute_cap:.0f} requests/s in all")
    elif decision.absolute_cap is not None:
        said.append(f"{decision.absolute_cap:.0f} requests/s in all")
    if decision.degrade_level is not None:
        said.append(f"degrade level {decision.degrade_level}")
    if decision.consistency is not None:
        said.append(_kept(decision.consistency))
    return "; ".join(said) or decision.reason


def _kept(consistency: Consistency) -> str:
    avoid, prefer = ", ".join(consistency.avoid), ", ".join(consistency.prefer)
    match consistency.mode:
        case ConsistencyMode.FENCE:
            return f"no writes to {avoid or 'any server'}"
        case ConsistencyMode.SERVE_STALE:
            return f"answers up to {consistency.bound:g} s old, marked, from {prefer or 'nobody'}"
        case _:
            return f"avoid {avoid}, read from {prefer or 'elsewhere'}"
