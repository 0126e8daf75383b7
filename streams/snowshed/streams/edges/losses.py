"""Which reports on a callee are missing.

A reporter says in each report how many records of any kind it has dropped since it started. Its windows follow each
other without a gap, but one in which nobody calls is not reported. So a window that never came counts as lost as far as
its reporter has dropped something, at once or by the time that a delivery has been given up; and what it was about is
taken from the reporter's newest report.

A reporter's clock only orders its own windows. Who reports at present is told by the broker's, and so is how many
windows can have passed at most, so that neither a clock that is wrong nor one that is set makes anything seem lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

__all__ = ["Loss", "Report", "Reporters", "dated", "heard", "losses", "settled"]

_SHORTEST = 0.01
"""Seconds that a window is reckoned with at least, and windows that a gap is at most: nothing else is bounded."""
_MOST = 1e6
_GIVEN_UP = 60.0
"""Seconds after which no loss explains a missing window any more: twice a producer's `message.timeout.ms`."""
_DRIFT = 100e-6
"""Relative drift between two clocks that does not count as a quicker way."""


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
    """One entry a reporter and end, in the order of both."""

    name: tuple[str, ...] = ()
    by_caller: tuple[bool, ...] = ()
    until: tuple[float, ...] = ()
    """End of the newest window, by the reporter's clock."""
    rate: tuple[float, ...] = ()
    """Calls a second in it."""
    dropped: tuple[float, ...] = ()
    """As it said then."""
    owed: tuple[float, ...] = ()
    """Windows that are missing and not explained by what it dropped."""
    missed: tuple[float, ...] = ()
    """When the newest of these was found to be missing."""
    lost: tuple[float, ...] = ()
    """Reports lost in the open window."""
    calls: tuple[float, ...] = ()
    """Calls they were about."""
    heard: tuple[float, ...] = ()
    """When it last reported, by the broker's clock."""
    least: tuple[float, ...] = ()
    """Smallest time of late from the end of a window, by its clock, to the report, by the broker's."""


class _Known(NamedTuple):
    """One entry's numbers."""

    until: float
    rate: float
    dropped: float
    heard: float
    least: float
    owed: float = 0.0
    missed: float = 0.0
    lost: float = 0.0
    calls: float = 0.0


def dated(held: Reporters) -> Reporters:
    """The reporters as this release has them; what an earlier one wrote is dated as if their clocks were right."""
    if len(held.heard) == len(held.name):
        return held
    return replace(held, heard=held.until, least=(0.0,) * len(held.name))


def heard(held: Reporters, reports: Sequence[Report], now: float, forget: float) -> tuple[Reporters, float]:
    """The reporters after more reports, and how many are newly known to be lost.

    Args:
        held: the reporters so far.
        reports: on the same callee, in log order.
        now: the present time.
        forget: seconds without a report after which a reporter is gone.
    """
    if len(reports) == 1 and held.name == (reports[0].reporter,) and held.by_caller == (reports[0].by_caller,):
        # What is most often so; the same as below without putting rows together.
        row = next(_numbers(held))
        new = _after(row, reports[0], now)
        return _table(held.name, held.by_caller, ((number,) for number in new)), new.lost - row.lost
    known = _rows(held)
    found = 0.0
    for report in reports:
        key = (report.reporter, report.by_caller)
        before = known.get(key)
        known[key] = after = _after(before, report, now)
        found += after.lost - (before.lost if before is not None else 0.0)
    kept = {key: row for key, row in sorted(known.items()) if row.heard >= now - forget}
    if not kept:
        return Reporters(), found
    names, ends = zip(*kept, strict=True)
    return _table(names, ends, zip(*kept.values(), strict=True)), found


def losses(held: Reporters, now: float, recent: float) -> Iterator[Loss]:
    """What was lost since the last call of `settled`.

    Args:
        held: the reporters of a callee.
        now: the present time.
        recent: seconds after a report for which its calls count as still made.
    """
    if not any(held.lost):
        return
    of = {False: 0.0, True: 0.0}
    rows = list(_rows(held).items())
    for (_, by_caller), row in rows:
        if row.heard >= now - recent or row.lost:
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
        zip(
            held.until,
            held.rate,
            held.dropped,
            held.heard,
            held.least,
            held.owed,
            held.missed,
            held.lost,
            held.calls,
            strict=True,
        ),
    )


def _table(name: tuple[str, ...], by_caller: tuple[bool, ...], numbers: Iterable[tuple[float, ...]]) -> Reporters:
    until, rate, dropped, last, least, owed, missed, lost, calls = numbers
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
        heard=last,
        least=least,
    )


def _after(before: _Known | None, report: Report, now: float) -> _Known:
    """One reporter after one more report."""
    window = max(report.window, _SHORTEST)
    until, rate, dropped = report.start + window, report.calls / window, report.dropped
    way = now - until
    if before is None:
        return _Known(until, rate, dropped, now, way)
    anew = _Known(until, rate, dropped, now, way, lost=before.lost, calls=before.calls)
    if dropped < before.dropped:
        # A new process, which knows nothing of what the one before has dropped.
        return anew
    owed = before.owed if now - before.missed < _GIVEN_UP else 0.0
    gap = report.start - before.until
    if gap <= -0.5 * window:
        # It came out of turn: one missing window less. Where none is missing, its clock was set back.
        return before._replace(dropped=dropped, heard=now, owed=owed - 1.0) if owed >= 1.0 else anew
    # What a clock that was set forward has jumped over is not missing: so much time has not passed.
    passed = max(gap + min(way - before.least, 0.0), 0.0)
    missing = float(int(min(passed / window, _MOST) + 0.5))
    owed += missing
    explained = min(owed, dropped - before.dropped)
    return _Known(
        until,
        rate,
        dropped,
        now,
        min(way, before.least + _DRIFT * (now - before.heard)),
        owed - explained,
        now if missing else before.missed,
        before.lost + explained,
        before.calls + explained * report.calls,
    )
