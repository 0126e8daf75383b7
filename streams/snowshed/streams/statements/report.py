"""What is published of a database's statements, and what an incident's explanation takes from it."""

from __future__ import annotations

from math import nan

from snowshed.schemas.records import StatementHealth
from snowshed.streams.statements.book import Book, Window
from snowshed.streams.statements.known import Change, ChangeKind, Known
from snowshed.streams.statements.tally import StatementTally, quantile

__all__ = ["changed_during", "health", "told"]

_NONE = Change(ChangeKind.NEW, nan, nan, nan)


def health(*, domain: str, callee: str, book: Book, window: Window, now: float, detector_lag: float) -> StatementHealth:
    """The record of a window that was just closed."""
    known = book.known
    views = [window.views.get(one.statement) for one in known]
    ran = [view if view and view.calls else None for view in views]
    changes = [one.change or _NONE for one in known]
    return StatementHealth(
        domain=domain,
        callee=callee,
        observed_at=now,
        detector_lag=detector_lag,
        window=window.span,
        calls=window.calls,
        seconds=window.seconds,
        statement=tuple([one.statement for one in known]),
        operation=tuple([one.operation for one in known]),
        rate=tuple([view.calls / window.span if view else 0.0 for view in ran]),
        errors=tuple([view.failed / view.calls if view else nan for view in ran]),
        share=tuple([_share(view, window) for view in views]),
        usual_share=tuple([one.share.location for one in known]),
        mean=tuple([view.seconds / view.calls if view else nan for view in ran]),
        p90=tuple([quantile(view, 0.9) if view else nan for view in ran]),
        p99=tuple([quantile(view, 0.99) if view else nan for view in ran]),
        change=tuple([_kind(one) for one in known]),
        onset=tuple([change.onset for change in changes]),
        before=tuple([change.before for change in changes]),
        after=tuple([change.after for change in changes]),
    )


def changed_during(record: StatementHealth, since: float, until: float) -> list[str]:
    """A sentence for each statement whose change began in a time, the earliest first."""
    rows = [row for row, kind in enumerate(record.change) if kind and since <= record.onset[row] <= until]
    return [told(record, row) for row in sorted(rows, key=lambda row: record.onset[row])]


def told(record: StatementHealth, row: int) -> str:
    """One change in a sentence."""
    name = f"{record.operation[row]} {record.statement[row]}".strip()
    before, after, share = record.before[row], record.after[row], record.share[row]
    match ChangeKind(record.change[row]):
        case ChangeKind.LATENCY:
            said = f"takes {_seconds(after)} instead of {_seconds(before)}"
        case ChangeKind.VOLUME:
            said = f"runs {after:.3g} times a second instead of {before:.3g}"
        case ChangeKind.NEW:
            said = "was never seen before"
    return f"{name} {said}, {share:.0%} of the time"


def _kind(one: Known) -> str:
    return one.change.kind.value if one.change else ""


def _share(view: StatementTally | None, window: Window) -> float:
    return view.seconds / window.seconds if view and window.seconds else 0.0


def _seconds(value: float) -> str:
    return f"{value * 1000:.3g} ms" if value < 1.0 else f"{value:.3g} s"
