"""The mean interval of each node's heartbeats, every hundredth passed on: Quix Streams, exactly once.

Runs in the environment of requirements/quix.txt. Arguments: bootstrap servers, consumer group, input topic, output
topic, state folder.
"""

from __future__ import annotations

import sys
from typing import Any

import quixstreams  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]

bootstrap, group, source, target, folder = sys.argv[1:]

quix: Any = quixstreams
app = quix.Application(
    broker_address=bootstrap,
    consumer_group=group,
    auto_offset_reset="earliest",
    processing_guarantee="exactly-once",
    commit_interval=0.2,
    state_dir=folder,
    loglevel="WARNING",
)


def fold(beat: dict[str, Any], state: Any) -> list[float] | None:
    """The node's last beat and mean interval, for every hundredth beat."""
    known, sent_at = state.get("interval"), beat["sent_at"]
    mean = 0.9 * known[1] + 0.1 * (sent_at - known[0]) if known else 0.5
    state.set("interval", [sent_at, mean])
    return [sent_at, mean] if beat["seq"] % 100 == 0 else None


def selected(found: list[float] | None) -> bool:
    """Whether there is something to pass on."""
    return found is not None


heartbeats = app.dataframe(app.topic(source, value_deserializer="json"))
results = heartbeats.apply(fold, stateful=True).filter(selected)
results.to_topic(app.topic(target, value_serializer="json"))
app.run()
