"""Global transaction ids as a number that grows by one a transaction."""

from __future__ import annotations

from math import nan

__all__ = ["transactions"]


def transactions(gtids: str | None) -> float:
    """How many transactions a set of ids stands for; NaN for none, which a server without ids answers.

    MariaDB names the last transaction of each domain, `0-1-270,1-2-33`; MySQL lists intervals for each server's
    UUID, `3e11fa47-71ca-11e1-9e33-c80aa9429562:1-270:272`. Two servers' numbers may be compared only where both stand
    on the same history, as a source and its replica do.

    Raises:
        ValueError: the text is neither.
    """
    parts = [part.strip() for part in (gtids or "").split(",") if part.strip()]
    if not parts:
        return nan
    return float(sum(_intervals(part) if ":" in part else _sequence(part) for part in parts))


def _sequence(gtid: str) -> int:
    domain, server, number = gtid.split("-")
    if not (domain.isdecimal() and server.isdecimal()):
        raise ValueError(f"{gtid!r} is no transaction id of MariaDB, such as 0-1-270")
    return int(number)


def _intervals(gtid: str) -> int:
    # A tag, which newer servers allow between the UUID and its intervals, names no transactions.
    spans = [part for part in gtid.split(":")[1:] if part[:1].isdecimal()]
    return sum(int(last or first) - int(first) + 1 for first, _, last in (span.partition("-") for span in spans))
