"""One connection to a service, shared by all calls to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import cast

from snowshed.streams.lab.wire import Reply, Request, raise_for_status

__all__ = ["Lines", "Link"]

_HOST = "127.0.0.1"
_AGAIN = 0.2
"""Seconds between two attempts to connect."""


class Lines(asyncio.Protocol):
    """Cuts what a connection brings into lines.

    Args:
        hear: called for each line.
        lost: called when the connection ends.
    """

    def __init__(self, hear: Callable[[Lines, bytes], None], lost: Callable[[], None] = lambda: None) -> None:
        self._hear = hear
        self._lost = lost
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The connection has ended."""
        self._transport = None
        self._lost()

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._hear(self, line)

    def say(self, line: bytes) -> None:
        """Send a line; what nobody can receive any longer is lost."""
        if self._transport is not None:
            self._transport.write(line)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()


class Link:
    """Carries calls to one service; it connects when it is first used and anew after the connection broke.

    Args:
        callee: the service.
        port: its loopback port.
    """

    def __init__(self, callee: str, port: int) -> None:
        self._callee = callee
        self._port = port
        self._lines: Lines | None = None
        self._next_at = 0.0
        self._connecting = asyncio.Lock()
        self._pending: dict[int, asyncio.Future[Reply]] = {}
        self._number = 0

    async def call(self, operation: str, key: int, headers: Mapping[str, str], within: float) -> Reply:
        """Ask the service.

        Raises:
            TimeoutError: there was no answer in time; the request goes on at the service.
            ConnectionError: the service cannot be reached, or the connection broke.
            Rejected: the service refused the request.
            CallFailed: the service failed.
        """
        lines = self._lines or await self._connected()
        self._number += 1
        request = Request(self._number, operation, key, headers)
        loop = asyncio.get_running_loop()
        answer = self._pending[request.number] = loop.create_future()
        timer = loop.call_later(within, self._give_up, request.number)
        lines.say(request.encode())
        try:
            return raise_for_status(await answer, self._callee)
        finally:
            timer.cancel()
            self._pending.pop(request.number, None)

    def close(self) -> None:
        """End the connection."""
        if self._lines is not None:
            self._lines.close()

    async def _connected(self) -> Lines:
        async with self._connecting:
            if self._lines is not None:
                return self._lines
            if time.monotonic() < self._next_at:
                raise ConnectionRefusedError(f"{self._callee} could not be reached a moment ago")
            self._next_at = time.monotonic() + _AGAIN
            loop = asyncio.get_running_loop()
            _, lines = await loop.create_connection(lambda: Lines(self._hear, self._broke), _HOST, self._port)
            self._lines = lines
            return lines

    def _hear(self, _lines: Lines, line: bytes) -> None:
        reply = Reply.decode(line)
        answer = self._pending.get(reply.number)
        if answer is not None and not answer.done():
            answer.set_result(reply)

    def _give_up(self, number: int) -> None:
        answer = self._pending.get(number)
        if answer is not None and not answer.done():
            answer.set_exception(TimeoutError(f"{self._callee} did not answer in time"))

    def _broke(self) -> None:
        self._lines = None
        for answer in self._pending.values():
            with suppress(asyncio.InvalidStateError):
                answer.set_exception(ConnectionResetError(f"the connection to {self._callee} broke"))
