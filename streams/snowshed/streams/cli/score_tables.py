"""Scores as tables for people; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from snowshed.streams.scoring import AlarmScore, Score

__all__ = ["score_lines"]

_ALARMS = ("", "found", "delay median", "p95", "false alarms", "a day")
_KINDS = ("kind of case", "cases", "found", "delay median", "p95", "false", "right kind", "at once", "top-1", "top-3")


def score_lines(part: str, whole: Score, kinds: Mapping[str, Score]) -> Iterator[str]:
    """What a part came to.

    Args:
        part: its name.
        whole: all cases together.
        kinds: the cases of each kind.
    """
    quiet = whole.alarms.quiet_seconds / 60.0
    yield f"{part}: {whole.cases} cases, {whole.alarms.troubles} of them with trouble, {quiet:.0f} minutes without"
    yield ""
    alarms = {"snowshed": whole.alarms, **whole.baselines}
    yield from _table(_ALARMS, [(name, *_alarm_cells(found)) for name, found in alarms.items()])
    yield ""
    yield from _table(_KINDS, [_kind_cells(kind, found) for kind, found in (*kinds.items(), ("all", whole))])
    yield ""
    yield (
        f"cause: {_share(whole.top1)} first, {_share(whole.top3)} among three, of {whole.names or 0.0:.1f} names; "
        f"a random order of the same names: {_share(whole.chance1)} and {_share(whole.chance3)}"
    )


def _alarm_cells(found: AlarmScore) -> tuple[str, ...]:
    a_day = "-" if found.false_alarms_a_day is None else f"{found.false_alarms_a_day:.0f}"
    return (*_detected(found), str(found.false_alarms), a_day)


def _kind_cells(kind: str, found: Score) -> tuple[str, ...]:
    shares = (found.kind_right, found.first_right, found.top1, found.top3)
    return (kind, str(found.cases), *_detected(found.alarms), str(found.alarms.false_alarms), *map(_share, shares))


def _detected(found: AlarmScore) -> tuple[str, str, str]:
    share = f"{found.detected}/{found.troubles}" if found.troubles else "-"
    return share, _seconds(found.delay_median), _seconds(found.delay_p95)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        first, *others = (
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join((first, *others)).rstrip()
