"""Real servers on loopback that take what is sent to people and machines, and remember it."""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

__all__ = ["HttpReceiver", "MailReceiver", "Received", "Reply", "http_receiver", "mail_receiver", "unix_receiver"]


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer."""

    status: int = 200
    body: object = b"ok"
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(slots=True)
class HttpReceiver:
    """An HTTP server whose answers a test chooses."""

    url: str = ""
    received: list[Received] = field(default_factory=list[Received])
    replies: list[Reply] = field(default_factory=list[Reply])
    """Answers to come, first to last; 200 after that."""
    answer: Callable[[Received], Reply] | None = None
    """Answers instead of `replies`."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, request: Received) -> Reply:
        with self._lock:
            self.received.append(request)
            if self.answer is not None:
                return self.answer(request)
            return self.replies.pop(0) if self.replies else Reply()


def _handler(receiver: HttpReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._serve()

        do_GET = do_PATCH = do_PUT = do_DELETE = do_POST  # noqa: N815 - as http.server names them

        def address_string(self) -> str:
            return "loopback"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = receiver.reply(Received(self.command, self.path, dict(self.headers.items()), body))
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.raw)))
                self.end_headers()
                self.wfile.write(reply.raw)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server names it
            del format, args

    return Handler


@contextmanager
def http_receiver() -> Generator[HttpReceiver]:
    """A server on a port of its own."""
    receiver = HttpReceiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver))
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    with _served(server):
        yield receiver


@contextmanager
def unix_receiver(path: Path) -> Generator[HttpReceiver]:
    """A server on a UNIX socket."""
    receiver = HttpReceiver(url=f"unix://{path}")

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with _served(Server(str(path), _handler(receiver))):
        yield receiver


@contextmanager
def _served(server: socketserver.BaseServer) -> Generator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(slots=True)
class MailReceiver:
    """A mail server of a few commands (RFC 5321, RFC 3207, RFC 4954)."""

    port: int = 0
    mails: list[Message] = field(default_factory=list[Message])
    logins: list[str] = field(default_factory=list[str])
    encrypted: list[bool] = field(default_factory=list[bool])
    refusals: list[str] = field(default_factory=list[str])
    """Answers to the next messages instead of taking them."""
    context: ssl.SSLContext | None = None
    """With what it encrypts; it offers that only where it has one."""


@contextmanager
def mail_receiver(context: ssl.SSLContext | None = None) -> Generator[MailReceiver]:
    """A mail server on a port of its own."""
    receiver = MailReceiver(context=context)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, EOFError):
                _Session(receiver, self.request).talk()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    server = Server(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    with _served(server):
        yield receiver


class _Session:
    def __init__(self, receiver: MailReceiver, connection: socket.socket) -> None:
        self._receiver, self._socket, self._encrypted = receiver, connection, False
        self._lines = connection.makefile("rb")

    def talk(self) -> None:
        try:
            self._say("220 test")
            while (word := self._hear()) and self._obey(word):
                pass
        finally:
            self._lines.close()
            if self._encrypted:
                self._socket.close()

    def _obey(self, line: str) -> bool:
        word = line.split(" ", maxsplit=1)[0].upper()
        if word == "EHLO":
            more = ["250-STARTTLS"] if self._receiver.context and not self._encrypted else []
            self._say("\r\n".join(["250-test", *more, "250 AUTH PLAIN"]))
        elif word == "STARTTLS":
            self._encrypt()
        elif word == "AUTH":
            self._receiver.logins.append(line.split(" ")[2])
            self._say("235 yes")
        elif word == "DATA":
            self._take()
        elif word == "QUIT":
            self._say("221 bye")
            return False
        else:
            self._say("250 ok")
        return True

    def _take(self) -> None:
        self._say("354 go on")
        lines: list[bytes] = []
        while (line := self._lines.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if self._receiver.refusals:
            self._say(self._receiver.refusals.pop(0))
            return
        self._receiver.encrypted.append(self._encrypted)
        self._receiver.mails.append(message_from_bytes(b"".join(lines), policy=default))
        self._say("250 taken")

    def _encrypt(self) -> None:
        self._say("220 go on")
        self._lines.close()
        assert self._receiver.context is not None
        self._socket = self._receiver.context.wrap_socket(self._socket, server_side=True)
        self._lines, self._encrypted = self._socket.makefile("rb"), True

    def _hear(self) -> str:
        return self._lines.readline().decode().strip()

    def _say(self, text: str) -> None:
        self._socket.sendall(f"{text}\r\n".encode())
