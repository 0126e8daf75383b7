"""Whether calls fail on their way, and say nothing of the service that they were meant for.

The callee's own view tells: it has reported these calls, and hears nothing of them now that all fail; or it finishes
them in time, and its caller hears of none.
"""

from __future__ import annotations

from snowshed.streams.cascade.views import EdgeView, queues
from snowshed.streams.policy import OverloadPolicy

__all__ = ["are_answers_lost", "is_heard", "is_on_the_way", "is_unanswered", "is_unheard", "was_on_the_way"]


def is_on_the_way(edge: EdgeView, policy: OverloadPolicy) -> bool:
    """Whether calls of an edge fail on their way, by the callee's own view."""
    return is_unheard(edge) or is_unanswered(edge, policy)


def was_on_the_way(edge: EdgeView, policy: OverloadPolicy) -> bool:
    """Whether they do, or most of those that failed of late did."""
    return is_on_the_way(edge, policy) or (edge.dues.lost > 0.0 and 2.0 * edge.dues.lost >= edge.dues.failed)


def is_unheard(edge: EdgeView) -> bool:
    """Whether the callee, which has reported these calls, has heard none since all of them fail."""
    return 0.0 < edge.heard <= edge.observed_at - edge.cut.covered and edge.cut.windows > 1


def is_unanswered(edge: EdgeView, policy: OverloadPolicy) -> bool:
    """Whether the callee finishes at least half of the calls, without a long queue, and its caller hears of none."""
    return edge.cut.windows > 1 and are_answers_lost(edge, policy)


def are_answers_lost(edge: EdgeView, policy: OverloadPolicy) -> bool:
    """Whether the callee finishes at least half of the calls that fail, without a long queue."""
    window = edge.window
    return 2.0 * window.completions >= window.attempts + window.ok and not queues(edge, policy)


def is_heard(edge: EdgeView) -> bool:
    """Whether the callee reports these calls and has heard them lately."""
    return edge.heard > 0.0 and not is_unheard(edge)
