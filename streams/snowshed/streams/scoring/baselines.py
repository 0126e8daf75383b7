"""Alarms that anybody could build in an hour, to hold the detectors against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from statistics import fmean, pstdev
from types import MappingProxyType

from snowshed.streams.scoring.entry import EntrySecond

__all__ = ["BASELINES"]

_USUAL = slice(5, 35)
"""Seconds from which the usual is taken; no trouble of the corpus begins before their end."""
_DEVIATIONS = 3.0
_AGAIN = 5
"""Quiet seconds after which an alarm can be raised anew."""


def _entry_alarms(seconds: Sequence[EntrySecond], in_a_row: int) -> list[float]:
    """When latency lies above, or goodput below, their usual by three standard deviations, so often in a row."""
    latency = _outliers([second.mean_latency for second in seconds], 1.0)
    goodput = _outliers([second.ok for second in seconds], -1.0)
    bad = [high or low for high, low in zip(latency, goodput, strict=True)]
    return list(_raised(bad, in_a_row))


def _outliers(values: Sequence[float], sign: float) -> list[bool]:
    usual = values[_USUAL]
    middle, scale = fmean(usual), max(pstdev(usual), 1e-9)
    return [sign * (value - middle) / scale > _DEVIATIONS for value in values]


def _raised(bad: Sequence[bool], in_a_row: int) -> Iterator[float]:
    run, quiet = 0, _AGAIN
    for number, is_bad in enumerate(bad[_USUAL.stop :], _USUAL.stop):
        run, quiet = (run + 1, quiet) if is_bad else (0, quiet + 1)
        if run >= in_a_row:
            if quiet >= _AGAIN:
                # A second is known when it is over.
                yield number + 1.0
            quiet = 0


BASELINES: Mapping[str, Callable[[Sequence[EntrySecond]], list[float]]] = MappingProxyType(
    {
        "entry z > 3 for 1 s": partial(_entry_alarms, in_a_row=1),
        "entry z > 3 for 3 s": partial(_entry_alarms, in_a_row=3),
    }
)
"""Baselines by name: from a case's seconds to its alarms, in seconds from the case's start."""
