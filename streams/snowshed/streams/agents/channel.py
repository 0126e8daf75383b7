"""A Faust channel whose queue a rebalance of Faust's own consumer neither suspends nor clears.

`app.channel()` rests on a flow-control queue that Faust empties when its group rebalances; work that a lane waits for
would vanish. Every stream on this channel shares one plain queue, so work also survives the restart of an agent.
"""

from __future__ import annotations

from typing import Any

from faust.channels import Channel
from mode.utils.queues import FlowControlEvent, ThrowableQueue

__all__ = ["WorkChannel"]


class WorkChannel(Channel[Any]):
    """An in-memory channel with one bounded queue of its own."""

    _queue: ThrowableQueue[Any] | None

    @property
    def queue(self) -> ThrowableQueue[Any]:
        """The one queue of the channel and of all its clones."""
        if self._queue is None:
            flow = FlowControlEvent()
            flow.resume()
            self._queue = ThrowableQueue[Any](maxsize=self.maxsize or 0, flow_control=flow)
        return self._queue

    def _clone(self, **kwargs: Any) -> WorkChannel:
        arguments: dict[str, Any] = {**self._clone_args(), **kwargs, "queue": self.queue}
        return type(self)(**arguments)

    async def put(self, value: Any) -> None:
        """Put work onto the shared queue; waits while it is full."""
        await self.queue.put(value)
