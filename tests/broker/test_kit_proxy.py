"""The proxy plays each bad network, and the broker's clients behind it see just that."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator

import pytest
from confluent_kafka import Producer
from tests.support.core_rig import wait_until
from tests.support.proxy import Mode, Proxy, proxied_kafka

_SOON = 0.3
"""Seconds in which what is let through has long arrived."""


class Server:
    """Accepts connections and keeps what they send."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self.connections.append(self.listener.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()


@pytest.fixture
def server() -> Generator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def proxy(server: Server) -> Generator[Proxy]:
    with Proxy(server.port) as running:
        yield running


@pytest.fixture
def client(proxy: Proxy, server: Server) -> Generator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), 30) as connected:
        wait_until(lambda: len(server.connections) == 1, what="the server sees the client")
        server.connections[0].settimeout(30)
        yield connected


def nothing_arrives(at: socket.socket) -> bool:
    """Whether a side that waits for a while receives neither bytes nor an end."""
    at.settimeout(_SOON)
    try:
        at.recv(1)
    except TimeoutError:
        return True
    finally:
        at.settimeout(30)
    return False


def test_what_is_sent_passes_both_ways(client: socket.socket, server: Server) -> None:
    client.sendall(b"up")
    assert server.connections[0].recv(10) == b"up"
    server.connections[0].sendall(b"down")
    assert client.recv(10) == b"down"
    client.shutdown(socket.SHUT_WR)
    assert server.connections[0].recv(10) == b""


def test_a_black_hole_holds_everything_until_it_is_healed(proxy: Proxy, client: socket.socket, server: Server) -> None:
    proxy.switch("blackhole")
    client.sendall(b"late")
    server.connections[0].sendall(b"late too")
    assert nothing_arrives(server.connections[0])
    assert nothing_arrives(client)
    proxy.switch("pass")
    assert server.connections[0].recv(10) == b"late"
    assert client.recv(10) == b"late too"


def test_a_black_hole_hides_that_a_side_has_ended(proxy: Proxy, client: socket.socket, server: Server) -> None:
    proxy.switch("blackhole")
    server.connections[0].close()
    assert nothing_arrives(client)
    proxy.switch("pass")
    assert client.recv(10) == b""


def test_a_black_hole_takes_new_connections_to_nowhere(proxy: Proxy, server: Server) -> None:
    proxy.switch("blackhole")
    with socket.create_connection(("127.0.0.1", proxy.port), 30) as lost:
        lost.sendall(b"hello")
        assert nothing_arrives(lost)
        assert not server.connections
        proxy.switch("pass")
        wait_until(lambda: len(server.connections) == 1, what="the connection is made after all")
        assert server.connections[0].recv(10) == b"hello"


@pytest.mark.parametrize("open_way", ["up", "down"])
def test_a_one_way_network_lets_one_direction_through(
    open_way: str, proxy: Proxy, client: socket.socket, server: Server
) -> None:
    proxy.switch("oneway_up" if open_way == "up" else "oneway_down")
    above = server.connections[0]
    (sender, receiver) = (client, above) if open_way == "up" else (above, client)
    sender.sendall(b"through")
    assert receiver.recv(10) == b"through"
    receiver.sendall(b"held")
    assert nothing_arrives(sender)
    proxy.switch("pass")
    assert sender.recv(10) == b"held"


def test_a_reset_breaks_connections_and_refuses_new_ones_until_it_is_healed(
    proxy: Proxy, client: socket.socket, server: Server
) -> None:
    proxy.switch("reset")
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionResetError):
        server.connections[0].recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), 30)
    proxy.switch("pass")
    socket.create_connection(("127.0.0.1", proxy.port), 30).close()


def test_latency_delays_without_narrowing(proxy: Proxy, client: socket.socket, server: Server) -> None:
    proxy.switch("slow", latency=0.5)
    started = time.monotonic()
    for _ in range(20):
        client.sendall(b"x" * 1000)
        time.sleep(0.01)  # so that they are 20 pieces
    received = 0
    while received < 20_000:
        received += len(server.connections[0].recv(65536))
    assert 0.5 <= time.monotonic() - started < 5  # one after the other the pieces would take 10 s


def test_a_rate_narrows(proxy: Proxy, client: socket.socket, server: Server) -> None:
    proxy.switch("slow", rate=100_000)
    started = time.monotonic()
    client.sendall(b"x" * 100_000)
    received = 0
    while received < 100_000:
        received += len(server.connections[0].recv(65536))
    assert time.monotonic() - started >= 0.9


def test_a_dead_upstream_resets_the_client() -> None:
    with Proxy(1) as proxy:
        with (
            pytest.raises(ConnectionResetError),
            socket.create_connection(("127.0.0.1", proxy.port), 30) as client,
        ):
            client.recv(1)
        wait_until(lambda: proxy.connections == 0, what="the connection is forgotten")


def delivered(bootstrap: str, topic: str, timeout: float) -> bool:
    answers: list[bool] = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 0,
            "message.timeout.ms": int(timeout * 1000),
            "allow.auto.create.topics": True,
        }
    )
    producer.produce(topic, b"x", on_delivery=lambda error, _: answers.append(error is None))
    producer.flush(timeout + 30)
    return answers == [True]


def test_only_clients_that_bootstrap_at_the_proxy_are_cut_from_the_broker(prefix: str) -> None:
    with proxied_kafka({"auto.create.topics.enable": "true"}) as (kafka, proxy):
        assert delivered(kafka.bootstrap, prefix, 60)
        assert proxy.connections == 0
        assert delivered(proxy.address, prefix, 60)
        modes: tuple[Mode, ...] = ("blackhole", "oneway_up", "oneway_down", "reset")
        for mode in modes:
            proxy.switch(mode)
            assert not delivered(proxy.address, prefix, 2)
            assert delivered(kafka.bootstrap, prefix, 60)
        proxy.switch("pass")
        assert delivered(proxy.address, prefix, 60)
        kafka.restart()
        assert delivered(proxy.address, prefix, 60)
