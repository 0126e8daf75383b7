"""What to do where the offset that a lane wants is not in the log."""

from __future__ import annotations

import structlog

from snowshed.schemas.errors import SnowshedError

__all__ = ["InputReplaced", "Overtaken", "resume_at"]

log = structlog.get_logger()


class InputReplaced(SnowshedError):
    """An input ends before the offset that its state has reached.

    It was deleted and made anew, or a broker lost records that it had acknowledged. What the state says of the records
    between cannot be undone; stop all workers and run `snowshed reset`.
    """


class Overtaken(SnowshedError):
    """Retention removed records while a worker was still on its way to them; a new process goes on behind them."""


def resume_at(place: tuple[str, int], wanted: int, low: int, high: int) -> int:
    """The offset to go on from.

    Records that retention removed before they were read are lost to everybody: that is logged, and reading goes on
    behind them.

    Args:
        place: topic and partition.
        wanted: the offset asked for.
        low: the first offset in the log.
        high: the offset behind the last.

    Raises:
        InputReplaced: the log ends before `wanted`.
    """
    topic, partition = place
    if wanted > high:
        raise InputReplaced(
            f"{topic}[{partition}] ends at {high}, but its state has been folded up to {wanted}: the topic was made "
            "anew or has lost records. Stop all workers, then run `snowshed reset`"
        )
    if wanted < low:
        log.error("records_expired", topic=topic, partition=partition, first=wanted, count=low - wanted)
        return low
    return wanted
