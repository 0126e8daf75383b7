"""Server-sent events: the whole world first, then what changed, and a beat while nothing does."""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import web

from snowshed.streams.web.feed import Feed, Frame

__all__ = ["EventStream"]

_BEAT = 2.0
"""Seconds of quiet after which a viewer is told that the stream still lives."""
_PATIENCE = 5.0
"""Seconds that a viewer may take to accept one event before it is let go."""
_RETRY_AFTER = "5"


class EventStream:
    """Serves the event stream of the WHATWG HTML standard, section 9.2, to a bounded number of viewers.

    Every viewer has a pace of its own: while one is slow to read, frames pass it by, and what it gets next is the
    difference to the newest.

    Args:
        feed: the frames.
        period: seconds between two looks at the feed.
        viewers: how many streams may be open at once.
    """

    def __init__(self, feed: Feed, period: float, viewers: int) -> None:
        self._feed, self._period, self._viewers = feed, period, viewers
        self._open = 0
        self._closing = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Handles one viewer until it leaves, stops reading, or the server shuts down."""
        if self._open >= self._viewers:
            reason = f"{self._viewers} viewers are connected already; read api/world instead\n"
            return web.Response(status=503, text=reason, headers={"Retry-After": _RETRY_AFTER})
        self._open += 1
        try:
            return await self._stream(request)
        finally:
            self._open -= 1

    async def close(self, _app: web.Application) -> None:
        """Ends every stream."""
        self._closing.set()

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # nginx would hold events back
            }
        )
        await response.prepare(request)
        try:
            await self._follow(response)
        except (ConnectionError, TimeoutError):
            # A graceful end would wait for the viewer to read what is still buffered.
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _follow(self, response: web.StreamResponse) -> None:
        sent = self._feed.frame()
        written_at = await self._write(response, b"world", sent.whole())
        while not await self._closed_within(self._period):
            frame = self._feed.frame()
            if frame.mark != sent.mark:
                written_at = await self._write(response, b"change", frame.since(sent))
                sent = frame
            elif asyncio.get_running_loop().time() - written_at >= _BEAT:
                written_at = await self._write(response, b"beat", self._beat(frame))

    def _beat(self, frame: Frame) -> bytes:
        return orjson.dumps({"now": self._feed.now(), "connected": frame.head["connected"]})

    async def _write(self, response: web.StreamResponse, event: bytes, data: bytes) -> float:
        await asyncio.wait_for(response.write(b"event: %s\ndata: %s\n\n" % (event, data)), _PATIENCE)
        return asyncio.get_running_loop().time()

    async def _closed_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return False
        return True
