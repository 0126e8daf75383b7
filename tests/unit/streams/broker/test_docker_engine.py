from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from snowshed.schemas.errors import BrokerUnavailable
from snowshed.streams.broker.docker_engine import connect


def test_a_missing_socket_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(BrokerUnavailable, match=r"/nowhere/docker\.sock: No such file"):
        connect()


def test_a_socket_that_is_no_docker_daemon_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "s"

    def answer_nonsense(server: socket.socket) -> None:
        for _ in range(2):  # the probe of the socket, then the ping
            connection, _ = server.accept()
            with connection:
                connection.settimeout(5)
                if connection.recv(4096):
                    connection.sendall(b"HTTP/1.0 500 no\r\ncontent-length: 0\r\n\r\n")

    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=answer_nonsense, args=[server], daemon=True)
        thread.start()
        with pytest.raises(BrokerUnavailable, match="no Docker daemon answers"):
            connect()
        thread.join(5)
