"""A TCP proxy on the loopback interface that plays a bad network, for the clients that connect through it."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from snowshed.streams.broker import LocalKafka, free_ports
from snowshed.streams.broker.ports import LOOPBACK

__all__ = ["Mode", "Proxy", "proxied_kafka", "proxied_listeners"]

Mode = Literal["pass", "blackhole", "oneway_up", "oneway_down", "reset", "slow"]
"""What the network does.

`blackhole` keeps connections and lets nothing through; `oneway_up` lets only what clients send through, `oneway_down`
only what the server sends. As in a real network nothing is lost that TCP would send again: bytes that were held arrive
when the mode changes, and so does the news that a side has closed. `reset` breaks all connections and refuses new ones.
"""

_Way = Literal["up", "down"]
_HELD: Mapping[_Way, tuple[Mode, ...]] = {"up": ("blackhole", "oneway_down"), "down": ("blackhole", "oneway_up")}
_CHUNK = 64 * 1024
_RESET_ON_CLOSE, _FINISH_ON_CLOSE = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)
_CALL_SECONDS = 30.0


_Due = asyncio.Queue[tuple[float, bytes]]
"""What is under way, and when it arrives."""


@dataclass(frozen=True, slots=True)
class _Weather:
    """The mode and the numbers that belong to it."""

    mode: Mode = "pass"
    latency: float = 0.0
    rate: float = 0.0


class Proxy:
    """Forwards one loopback port to another; a context manager that starts and ends it.

    Args:
        upstream: the server's port.
        port: where clients connect; any free one when absent.
    """

    def __init__(self, upstream: int, port: int | None = None) -> None:
        self.upstream = upstream
        self.port = free_ports(1)[0] if port is None else port
        self._weather = _Weather()
        self._changed = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._socket = _bound(self.port)
        self._pipes: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def mode(self) -> Mode:
        """What the network does now."""
        return self._weather.mode

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._pipes)

    def switch(self, mode: Mode, *, latency: float = 0.0, rate: float = 0.0) -> None:
        """Change the network for new and for standing connections.

        Args:
            mode: what it does from now on.
            latency: with `slow`, seconds that every byte takes each way.
            rate: with `slow`, bytes per second each way and connection; 0 is unlimited.
        """
        assert mode in get_args(Mode), mode
        self._call(self._switch(_Weather(mode, latency, rate)))

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *details: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_CALL_SECONDS)

    # Everything below runs in the loop's thread.

    async def _switch(self, weather: _Weather) -> None:
        before, self._weather = self._weather, weather
        if weather.mode == "reset":
            await self._refuse()
        elif before.mode == "reset":
            await self._listen()
        self._changed.set()
        self._changed = asyncio.Event()

    async def _listen(self) -> None:
        self._socket.listen(128)
        # Accepted here and not by asyncio's server, which loses track of connections that arrive while it closes.
        self._loop.add_reader(self._socket, self._accept)

    async def _refuse(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._socket = _bound(self.port)  # the port stays ours, and without listening it refuses connections
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _close(self) -> None:
        await self._refuse()
        self._socket.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:  # the client gave up
            return
        _reset_on_close(connection)
        pipe = self._loop.create_task(self._serve(connection))
        self._pipes.add(pipe)
        pipe.add_done_callback(self._pipes.discard)
        pipe.add_done_callback(lambda _: connection.close())

    async def _serve(self, connection: socket.socket) -> None:
        with suppress(asyncio.CancelledError), socket.socket() as upstream:
            _reset_on_close(upstream)
            try:
                await self._let_through("up")
                await self._loop.sock_connect(upstream, (LOOPBACK, self.upstream))
                async with asyncio.TaskGroup() as ways:
                    self._carry(ways, "up", connection, upstream)
                    self._carry(ways, "down", upstream, connection)
                for end in (connection, upstream):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _FINISH_ON_CLOSE)
            except* OSError:
                pass  # one side broke off: the other one is told the same way

    def _carry(self, tasks: asyncio.TaskGroup, way: _Way, source: socket.socket, sink: socket.socket) -> None:
        due: _Due = asyncio.Queue(maxsize=64)
        tasks.create_task(self._collect(way, source, due))
        tasks.create_task(self._deliver(way, due, sink))

    async def _collect(self, way: _Way, source: socket.socket, due: _Due) -> None:
        try:
            data = b"-"
            while data:
                data = await self._loop.sock_recv(source, _CHUNK)
                await due.put((self._loop.time() + self._weather.latency, data))
        except OSError:
            await self._let_through(way)
            raise

    async def _deliver(self, way: _Way, due: _Due, sink: socket.socket) -> None:
        while True:
            time, data = await due.get()
            await asyncio.sleep(time - self._loop.time())
            await self._let_through(way)
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            await self._send(sink, data)

    async def _let_through(self, way: _Way) -> None:
        while self._weather.mode in _HELD[way]:
            await self._changed.wait()

    async def _send(self, sink: socket.socket, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rate = self._weather.rate
            size = max(1, int(rate / 20)) if rate else len(rest)
            await self._loop.sock_sendall(sink, rest[:size])
            if rate:
                await asyncio.sleep(size / rate)
            rest = rest[size:]


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((LOOPBACK, port))
    bound.setblocking(False)
    return bound


def _reset_on_close(connection: socket.socket) -> None:
    """Whatever closes the connection from now on, the other side sees a reset."""
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def proxied_listeners(*, client: int, controller: int, behind: int, advertised: int) -> dict[str, str]:
    """Settings of a node with a second listener for clients, PROXIED, whose address is a proxy's.

    Clients that bootstrap at the proxy stay behind it; those that bootstrap at the plain listener never meet it.

    Args:
        client: port of the plain listener.
        controller: port of the controller's listener.
        behind: port of the second listener, the proxy's upstream.
        advertised: the proxy's port.
    """
    plain = f"PLAINTEXT://{LOOPBACK}:{client}"
    return {
        "listeners": f"{plain},PROXIED://{LOOPBACK}:{behind},CONTROLLER://{LOOPBACK}:{controller}",
        "advertised.listeners": f"{plain},PROXIED://{LOOPBACK}:{advertised}",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
    }


@contextmanager
def proxied_kafka(extra: Mapping[str, str] | None = None) -> Generator[tuple[LocalKafka, Proxy]]:
    """A broker of its own and the proxy before its second listener; `proxy.address` is a bootstrap address."""
    client, controller, behind = free_ports(3)
    with Proxy(behind) as proxy:
        listeners = proxied_listeners(client=client, controller=controller, behind=behind, advertised=proxy.port)
        with LocalKafka(port=client, controller_port=controller, extra={**listeners, **(extra or {})}) as kafka:
            yield kafka, proxy
