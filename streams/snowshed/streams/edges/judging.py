"""What closed windows say of their edges, and what those learn from them: all edges of a step at once.

An edge with few calls in a window is OK, and an unknown baseline accuses nobody. Only a sound window teaches, and one
in which the few calls fail is not sound: an outage of a quiet edge would become its usual life.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.records import EdgeStatus
from snowshed.streams.edges.baseline import LEARNED, learned, usual
from snowshed.streams.edges.table import STATUSES
from snowshed.streams.edges.windows import Windows
from snowshed.streams.policy import EdgePolicy

__all__ = ["Judged", "judged"]

_OK, _OVERLOADED, _AMPLIFIED = map(STATUSES.index, (EdgeStatus.OK, EdgeStatus.OVERLOADED, EdgeStatus.AMPLIFIED))

_Columns = Mapping[str, NDArray[np.float64]]


class Judged(NamedTuple):
    """Columns of edges, one entry a window."""

    edges: _Columns
    """What is remembered of them, as in `EdgeTable`."""
    usual: _Columns
    """What was usual before."""
    changed: NDArray[np.bool_]
    """Whether the status is new."""
    told: NDArray[np.bool_]
    """Whether it is to be reported."""


def judged(edges: _Columns, windows: Windows, whole: NDArray[np.bool_], now: float, policy: EdgePolicy) -> Judged:
    """The edges after one more window each.

    Args:
        edges: what is remembered of them.
        windows: one of each.
        whole: whether nothing of late is missing of it; else its calls are fewer than were made, and it does not teach.
        now: the present time.
        policy: the thresholds.
    """
    known = {name: edges[name] for name in LEARNED}
    normal = usual(known, policy)
    fails = windows.ok_ratio < policy.ok_ratio * normal["ok_ratio"]
    status = _status(windows, normal, fails, policy)
    taught = learned(
        known,
        first_rate=windows.values["first"] / windows.values["span"],
        ok_ratio=windows.ok_ratio,
        p90=windows.values["p90"],
        attempts=np.where((status == _OK) & ~fails & whole, windows.values["attempts"], 0.0),
        policy=policy,
    )
    since = np.where(status == edges["status"], edges["since"], now)
    changed = since == now
    told = changed | (now >= edges["reported"] + policy.health_refresh)
    after = {
        **taught,
        "status": status,
        "since": since,
        "reported": np.where(told, now, edges["reported"]),
        "last_seen": np.full(len(status), now),
    }
    return Judged(after, normal, changed, told)


def _status(windows: Windows, normal: _Columns, fails: NDArray[np.bool_], policy: EdgePolicy) -> NDArray[np.float64]:
    values = windows.values
    # fmax passes over an unknown p90, as queue_limit does.
    longest = np.fmax(normal["p90"], policy.queue_delay)
    overloaded = (
        fails | (values["queue_delay_mean"] > longest) | (values["p90"] > policy.latency_factor * normal["p90"])
    )
    found = np.where(windows.amplification >= policy.amplification, _AMPLIFIED, np.where(overloaded, _OVERLOADED, _OK))
    return np.where(values["attempts"] < policy.minimum_attempts, _OK, found).astype(np.float64)
