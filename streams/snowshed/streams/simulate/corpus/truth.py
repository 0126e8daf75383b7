"""What is true of a case, taken from its run."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from snowshed.streams.scoring.label import Label
from snowshed.streams.simulate.corpus.case import EXPECTED, Case
from snowshed.streams.simulate.queueing.seconds import Second
from snowshed.streams.simulate.queueing.summary import summarize

__all__ = ["label"]

_Run = Sequence[Sequence[Second]]
_SUFFERING = 3
"""Bad seconds that make a victim."""
_ANSWERED = 0.9
"""Share of the attempts that must succeed in a good second."""
_SLOW = 3.0
"""Times the usual 90th percentile that make a bad second."""
_WARM = 10
"""Seconds that are left out of what is usual."""


def label(name: str, case: Case, run: _Run, start: float) -> Label:
    """The label of a case.

    Args:
        name: of the case.
        case: what was run.
        run: what came of it.
        start: time of its first moment, seconds since the Unix epoch.
    """
    scenario, expected = case.scenario, EXPECTED[case.kind]
    came_to = summarize(run, scenario.fleet.entries, scenario.start, scenario.end)
    return Label(
        case=name,
        kind=case.kind,
        description=scenario.description,
        seed=case.seed,
        start=start,
        seconds=scenario.seconds,
        onset=scenario.start if expected else None,
        end=scenario.end if expected else None,
        recovered=came_to.recovered_at if expected else None,
        metastable=bool(expected) and came_to.outcome == "metastable",
        trigger=case.trigger,
        victims=_victims(case, run) if expected else (),
        expected=expected,
        entries=tuple(sorted(f"{caller}>{callee}" for caller, callee in scenario.fleet.entries)),
    )


def _victims(case: Case, run: _Run) -> tuple[str, ...]:
    suffering = {
        callee
        for index, callee in enumerate(second.callee for second in run[0])
        if _suffers([edges[index] for edges in run], int(case.scenario.start))
    }
    return tuple(sorted(suffering - {*case.trigger}))


def _suffers(edge: Sequence[Second], onset: int) -> bool:
    usual = median(second.latency_p90 for second in edge[_WARM:onset] if second.attempts)
    return sum(_is_bad(second, usual) for second in edge[onset:]) >= _SUFFERING


def _is_bad(second: Second, usual: float) -> bool:
    ended = second.ok + second.timeout + second.rejected + second.error_local + second.error_downstream
    return ended > 0 and (second.ok < _ANSWERED * ended or second.latency_p90 > _SLOW * usual)
