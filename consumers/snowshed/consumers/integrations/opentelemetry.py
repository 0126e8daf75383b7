"""What Guards have done, for OpenTelemetry.

::

    observe_guards(get_meter("shop"), [guard])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from snowshed.consumers.brakes import CircuitState
from snowshed.consumers.guard import Guard, GuardStats
from snowshed.consumers.integrations.local_gauges import LOCAL_GAUGES
from snowshed.consumers.local import LocalStats

__all__ = ["observe_guards"]

_Read = Callable[[GuardStats], Iterable[tuple[float, dict[str, str]]]]


def observe_guards(meter: Meter, guards: Iterable[Guard] | Callable[[], Iterable[Guard]]) -> None:
    """Adds observable instruments that read the counts of Guards at each collection; a call pays nothing for it.

    Args:
        meter: where the instruments are made.
        guards: what to read, or a function that tells, where guards come and go.
    """
    kept: Iterable[Guard] | Callable[[], Iterable[Guard]] = guards if callable(guards) else tuple(guards)

    def callback(read: _Read) -> Callable[[CallbackOptions], Iterator[Observation]]:
        def observe(_options: CallbackOptions) -> Iterator[Observation]:
            for guard in kept() if callable(kept) else kept:
                for value, attributes in read(guard.stats):
                    yield Observation(value, {"snowshed.scope": guard.scope, **attributes})

        return observe

    for name, description, read in _COUNTERS:
        meter.create_observable_counter(name, [callback(read)], unit="{call}", description=description)
    for name, description, unit, read in _GAUGES:
        meter.create_observable_gauge(name, [callback(read)], unit=unit, description=description)
    for name, description, of_local in LOCAL_GAUGES:
        plain = name.removesuffix("_seconds")
        unit = "1" if plain == name else "s"
        meter.create_observable_gauge(
            f"snowshed.guard.{plain}", [callback(_local(of_local))], unit=unit, description=description
        )


_COUNTERS: tuple[tuple[str, str, _Read], ...] = (
    ("snowshed.guard.admitted", "Calls that were admitted.", lambda stats: [(stats.admitted, {})]),
    (
        "snowshed.guard.rejected",
        "Calls refused, by brake.",
        lambda stats: [(count, {"snowshed.brake": brake.value}) for brake, count in stats.rejected.items()],
    ),
    (
        "snowshed.guard.would_have_rejected",
        "Calls that a shadow decision would have refused, by class.",
        lambda stats: [
            (count, {"snowshed.criticality": criticality.name.lower()})
            for criticality, count in stats.would_have_rejected.items()
        ],
    ),
    (
        "snowshed.guard.ended",
        "Calls that ended, by outcome.",
        lambda stats: [(count, {"snowshed.outcome": outcome.value}) for outcome, count in stats.outcomes.items()],
    ),
)
_GAUGES: tuple[tuple[str, str, str, _Read], ...] = (
    (
        "snowshed.guard.in_flight",
        "Admitted calls that have not ended.",
        "{call}",
        lambda stats: [(stats.in_flight, {})],
    ),
    (
        "snowshed.guard.degrade_level",
        "Degrade level in force.",
        "1",
        lambda stats: [(stats.effective.degrade_level, {})],
    ),
    (
        "snowshed.guard.decisions",
        "Decisions in force.",
        "{decision}",
        lambda stats: [(len(stats.effective.decisions), {})],
    ),
    (
        "snowshed.guard.decision_age",
        "Age of the youngest decision in force.",
        "s",
        lambda stats: [] if stats.effective.age is None else [(stats.effective.age, {})],
    ),
    (
        "snowshed.guard.stale",
        "1 when the control plane is not heard of.",
        "1",
        lambda stats: [(float(stats.effective.stale), {})],
    ),
    (
        "snowshed.guard.circuit",
        "1 for the state that the circuit breaker is in.",
        "1",
        lambda stats: [
            (float(state is stats.local.circuit), {"snowshed.state": state.value})
            for state in (() if stats.local.circuit is None else CircuitState)
        ],
    ),
)


def _local(read: Callable[[LocalStats], float | None]) -> _Read:
    """Reads a gauge of the local brakes from all that a Guard tells."""

    def observe(stats: GuardStats) -> Iterable[tuple[float, dict[str, str]]]:
        value = read(stats.local)
        return [] if value is None else [(value, {})]

    return observe
