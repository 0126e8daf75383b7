"""Which reports on a callee are missing.

A reporter says in each report how many records of any kind it has dropped since it started. Its windows follow each
other without a gap, but one in which nobody calls is not reported. So a window that never came counts as lost as far as
its reporter has dropped something, at once or by the time that a delivery has been given up; and what it was about is
taken from the reporter's newest report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

__all__ = ["Loss", "Report", "Reporters", "heard", "losses", "settled"]

_SHORTEST = 0.01
"""Seconds that a window is reckoned with at least, and windows that a gap is at most: nothing else is bounded."""
_MOST = 1e6
_GIVEN_UP = 60.0
"""Seconds after which no loss explains a missing window any more: twice a producer's `message.timeout.ms`."""


class Report(NamedTuple):
    """What one report says of its reporter."""

    reporter: str
    by_caller: bool
    start: float
    window: float
    dropped: float
    """Records it has dropped since it started."""
    calls: float


class Loss(NamedTuple):
    """Reports of one reporter that never came."""

    reporter: str
    by_caller: bool
    reports: float
    calls: float
    of: float
    """Calls a second that all reporters of that end report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporters:
    """One entry a reporter and end, in the order of both; times are by the reporter's clock."""

    name: tuple[str, ...] = ()
    by_caller: tuple[bool, ...] = ()
    until: tuple[float, ...] = ()
    """End of the newest window."""
    rate: tuple[float, ...] = ()
    """Calls a second in it."""
    dropped: tuple[float, ...] = ()
    """As it said then."""
    owed: tuple[float, ...] = ()
    """Windows that are missing and not explained by what it dropped."""
    missed: tuple[float, ...] = ()
    """End of the newest of these."""
    lost: tuple[float, ...] = ()
    """Reports lost in the open window."""
    calls: tuple[float, ...] = ()
    """Calls they were about."""


class _Known(NamedTuple):
    """One entry's numbers."""

    until: float
    rate: float
    dropped: float
    owed: float = 0.0
    missed: float = 0.0
    lost: float = 0.0
    calls: float = 0.0


def heard(held: Reporters, reports: Sequence[Report], forget: float) -> tuple[Reporters, float]:
    """The reporters after more reports, and how many are newly known to be lost.

    Args:
        held: the reporters so far.
        reports: on the same callee, in log order.
        forget: seconds behind the newest after which a reporter is gone.
    """
    if len(reports) == 1 and held.name == (reports[0].reporter,) and held.by_caller == (reports[0].by_caller,):
        # What is most often so; the same as below without putting rows together.
        row = next(_numbers(held))
        new = _after(row, reports[0])
        return _table(held.name, held.by_caller, ((number,) for number in new)), new.lost - row.lost
    known = _rows(held)
    found = 0.0
    for report in reports:
        key = (report.reporter, report.by_caller)
        before = known.get(key)
        known[key] = after = _after(before, report)
        found += after.lost - (before.lost if before is not None else 0.0)
    oldest = max((row.until for row in known.values()), default=0.0) - forget
    kept = {key: row for key, row in sorted(known.items()) if row.until >= oldest}
    if not kept:
        return Reporters(), found
    names, ends = zip(*kept, strict=True)
    return _table(names, ends, zip(*kept.values(), strict=True)), found


def losses(held: Reporters, recent: float) -> Iterator[Loss]:
    """What was lost since the last call of `settled`.

    Args:
        held: the reporters of a callee.
        recent: seconds behind the newest for which a reporter's calls count as still made.
    """
    if not any(held.lost):
        return
    oldest = max(held.until) - recent
    of = {False: 0.0, True: 0.0}
    rows = list(_rows(held).items())
    for (_, by_caller), row in rows:
        if row.until >= oldest or row.lost:
            of[by_caller] += row.rate
    for (name, by_caller), row in rows:
        if row.lost and of[by_caller] > 0.0:
            yield Loss(name, by_caller, row.lost, row.calls, of[by_caller])


def settled(held: Reporters) -> Reporters:
    """The reporters at the start of a window."""
    if not any(held.lost):
        return held
    none = (0.0,) * len(held.name)
    return replace(held, lost=none, calls=none)


def _rows(held: Reporters) -> dict[tuple[str, bool], _Known]:
    return dict(zip(zip(held.name, held.by_caller, strict=True), _numbers(held), strict=True))


def _numbers(held: Reporters) -> Iterator[_Known]:
    return map(
        _Known._make,
        zip(held.until, held.rate, held.dropped, held.owed, held.missed, held.lost, held.calls, strict=True),
    )


def _table(name: tuple[str, ...], by_caller: tuple[bool, ...], numbers: Iterable[tuple[float, ...]]) -> Reporters:
    until, rate, dropped, owed, missed, lost, calls = numbers
    return Reporters(
        name=name,
        by_caller=by_caller,
        until=until,
        rate=rate,
        dropped=dropped,
        owed=owed,
        missed=missed,
        lost=lost,
        calls=calls,
    )


def _after(before: _Known | None, report: Report) -> _Known:
    """One reporter after one more report."""
    window = max(report.window, _SHORTEST)
    until, rate, dropped = report.start + window, report.calls / window, report.dropped
    if before is None:
        return _Known(until, rate, dropped)
    if dropped < before.dropped:
        # A new process, which knows nothing of what the one before has dropped.
        return _Known(until, rate, dropped, lost=before.lost, calls=before.calls)
    gap = report.start - before.until
    if gap <= -0.5 * window:
        # It came out of turn: one missing window less.
        return before._replace(dropped=dropped, owed=max(before.owed - 1.0, 0.0))
    missing = float(int(min(gap / window, _MOST) + 0.5))
    owed = missing + (before.owed if report.start - before.missed < _GIVEN_UP else 0.0)
    explained = min(owed, dropped - before.dropped)
    return _Known(
        until,
        rate,
        dropped,
        owed - explained,
        report.start if missing else before.missed,
        before.lost + explained,
        before.calls + explained * report.calls,
    )
