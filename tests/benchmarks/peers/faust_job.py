"""The mean interval of each node's heartbeats, every hundredth passed on: Faust alone, at least once.

Arguments: bootstrap servers, app id, input topic, output topic, partitions, data folder.
"""

from __future__ import annotations

import sys
from typing import Any, cast

import faust

bootstrap, app_id, source, target, partitions, folder = sys.argv[1:]

app = faust.App(
    app_id,
    broker=f"kafka://{bootstrap}",
    store="memory://",
    datadir=folder,
    consumer_auto_offset_reset="earliest",
    broker_commit_interval=0.2,
    stream_wait_empty=False,
    topic_partitions=int(partitions),
    topic_replication_factor=1,
)
heartbeats = app.topic(source, key_type=bytes, key_serializer="raw", value_serializer="json")
intervals = app.topic(target, key_type=bytes, key_serializer="raw", value_serializer="json")
table = cast("Any", app.Table("intervals", key_type=str, partitions=int(partitions)))


@app.agent(heartbeats)
async def fold(beats: Any) -> None:
    """Fold one heartbeat after the other."""
    async for key, beat in beats.items():
        node, sent_at = key.decode(), beat["sent_at"]
        known = table.get(node)
        mean = 0.9 * known[1] + 0.1 * (sent_at - known[0]) if known else 0.5
        table[node] = [sent_at, mean]
        if beat["seq"] % 100 == 0:
            await intervals.send(key=key, value=[sent_at, mean])


app.finalize()
app.worker_init()
faust.Worker(app, loglevel="warn", quiet=True, redirect_stdouts=False).execute_from_commandline()
