"""All statements of one database: the open window, and what is remembered of those that cost most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isnan, nan
from statistics import median

from snowshed.schemas.records import Vantage
from snowshed.streams.policy import StatementPolicy
from snowshed.streams.statements.known import Change, ChangeKind, Known, Seen, excess, lively, slow
from snowshed.streams.statements.known import judged as statement_judged
from snowshed.streams.statements.tally import StatementTally, merged, typical

__all__ = ["Book", "Window", "collected", "is_due", "judged"]

_ROOM = 4
"""Statements an open window may hold, in lists of the size that is remembered."""

_Views = Mapping[str, StatementTally]


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The statements of one database between batches."""

    opened: float
    """When the open window began."""
    open: tuple[StatementTally, ...] = ()
    """What came in since, by statement and vantage."""
    windows: int = 0
    """Windows closed so far."""
    known: tuple[Known, ...] = ()
    """Those that took the most time lately, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A closed window."""

    span: float
    calls: float
    seconds: float
    views: _Views
    """By fingerprint; the empty string stands for statements that were summed."""


def collected(held: Book | None, found: Iterable[StatementTally], now: float, policy: StatementPolicy) -> Book:
    """The book with more tallies in its open window."""
    book = held or Book(opened=now)
    if not book.open and now - book.opened > policy.window:
        book = replace(book, opened=now)
    tallies = {(tally.statement, tally.vantage): tally for tally in book.open}
    for tally in found:
        _add(tallies, (tally.statement, tally.vantage), tally)
    if len(tallies) > _ROOM * policy.top:
        tallies = _shrunk(tallies.values(), policy.top)
    ordered = sorted(tallies.values(), key=lambda tally: (tally.statement, tally.vantage.value))
    return replace(book, open=tuple(ordered))


def is_due(book: Book, now: float, policy: StatementPolicy) -> bool:
    """Whether the open window is to be closed."""
    return bool(book.open) and now >= book.opened + policy.window


def judged(book: Book, now: float, calm: bool, policy: StatementPolicy) -> tuple[Book, Window]:
    """The book after its open window, and that window.

    Args:
        book: the book so far, its window due.
        now: the present time.
        calm: whether the database is well; else nothing is learned.
        policy: the thresholds.
    """
    window = _window(book, now)
    seen = {name: _seen(tally, book.opened, window) for name, tally in window.views.items() if name}
    faded = 0.5 ** (window.span / policy.half_life)
    known = [
        replace(one, weight=one.weight * faded + _seconds(window, one.statement))
        for one in _judged(book.known, seen, calm, policy)
    ]
    known += _newcomers(book, window, seen, calm, policy)
    known.sort(key=lambda one: (-one.weight, one.statement))
    return Book(opened=now, windows=book.windows + 1, known=tuple(known[: policy.top])), window


def _add(tallies: dict[tuple[str, Vantage], StatementTally], key: tuple[str, Vantage], tally: StatementTally) -> None:
    held = tallies.get(key)
    tallies[key] = tally if held is None else merged(held, tally)


def _shrunk(tallies: Iterable[StatementTally], top: int) -> dict[tuple[str, Vantage], StatementTally]:
    """With those that took least time as one, so that memory is bounded and no time is lost."""
    ordered = sorted(tallies, key=lambda tally: (-tally.seconds, tally.statement, tally.vantage.value))
    kept: dict[tuple[str, Vantage], StatementTally] = {}
    for rank, tally in enumerate(ordered):
        if rank < 2 * top:
            _add(kept, (tally.statement, tally.vantage), tally)
        else:
            _add(kept, ("", tally.vantage), replace(tally, statement="", operation=""))
    return kept


def _window(book: Book, now: float) -> Window:
    """Each statement as its callers saw it, who also see what failed; else as the database did."""
    views: dict[str, StatementTally] = {}
    for tally in book.open:
        held = views.get(tally.statement)
        if held is None or not held.calls or (tally.vantage is Vantage.CALLER and tally.calls):
            views[tally.statement] = tally
    return Window(
        span=now - book.opened,
        calls=sum(tally.calls for tally in views.values()),
        seconds=sum(tally.seconds for tally in views.values()),
        views=views,
    )


def _seen(tally: StatementTally, began: float, window: Window) -> Seen:
    share = tally.seconds / window.seconds if window.seconds else 0.0
    return Seen(began=began, typical=typical(tally), rate=tally.calls / window.span, share=share)


def _seconds(window: Window, statement: str) -> float:
    view = window.views.get(statement)
    return view.seconds if view else 0.0


def _judged(known: Iterable[Known], seen: Mapping[str, Seen], calm: bool, policy: StatementPolicy) -> list[Known]:
    running = [(one, seen.get(one.statement)) for one in known]
    slower = {one.statement: excess(slow(window), one.latency, 0.0) for one, window in running if window}
    busier = {one.statement: excess(lively(window), one.volume, 0.0) for one, window in running if window}
    return [
        one
        if window is None
        else statement_judged(
            one,
            window,
            (_common(slower, one.statement, policy), _common(busier, one.statement, policy)),
            calm,
            policy,
        )
        for one, window in running
    ]


def _common(excesses: Mapping[str, float], statement: str, policy: StatementPolicy) -> float:
    """What the others have in common; nothing where they are too few to tell."""
    others = [value for name, value in excesses.items() if name != statement and not isnan(value)]
    return median(others) if len(others) >= policy.others else 0.0


def _newcomers(
    book: Book, window: Window, seen: Mapping[str, Seen], calm: bool, policy: StatementPolicy
) -> list[Known]:
    known = {one.statement for one in book.known}
    settled = book.windows >= policy.change.learning_windows
    fresh = [
        _newcomer(window.views[name], seen[name], policy.new_share if settled else 1.0)
        for name in sorted(seen.keys() - known)
    ]
    return [statement_judged(one, seen[one.statement], (0.0, 0.0), calm, policy) for one in fresh]


def _newcomer(view: StatementTally, seen: Seen, striking: float) -> Known:
    change = Change(ChangeKind.NEW, seen.began, nan, seen.share) if seen.share > striking else None
    return Known(statement=view.statement, operation=view.operation, weight=view.seconds, change=change)
