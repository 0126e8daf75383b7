"""How often a worker looks for reference cycles: seldom, because it makes few and holds much.

Every window puts new state values in place of old ones. By CPython's defaults that alone sets the collector off a
hundred times a second, and each of its larger passes walks the whole state, which has no cycles; values that are
replaced are freed at once by their reference counts. So the youngest are more than one step makes for the largest
domain that is measured (`tests.benchmarks edges`, 10 000 edges): what it makes takes the place of what it frees.
"""

from __future__ import annotations

import gc

__all__ = ["collect_seldom"]

_YOUNG, _MIDDLE, _OLD = 200_000, 20, 100
"""New objects before the youngest are looked at, and passes of each generation before the next older one is [P]."""


def collect_seldom() -> None:
    """Set the collector's thresholds for this process."""
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
