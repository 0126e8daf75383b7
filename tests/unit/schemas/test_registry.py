"""The registry catalogue against a server that speaks the registry's REST interface."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from tests.support.records import same

from snowshed.schemas import (
    Codec,
    ConfigurationError,
    Heartbeat,
    RegistryCatalogue,
    ServerUnavailable,
    UnknownSchema,
)
from snowshed.schemas.catalogue import current_schema, embedded_catalogue

BEAT = Heartbeat(node="web-1", service="web", seq=7.0, sent_at=1.5, monotonic=2.5, interval=1.0, cpu=0.5)


@dataclass
class Registry:
    """A schema registry in this process: ids count up from 1, `answer` overrides what it says."""

    url: str = ""
    schemas: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])
    credentials: list[str | None] = field(default_factory=list[str | None])
    answer: tuple[int, bytes] | None = None

    def register(self, source: str) -> int:
        if source not in self.schemas:
            self.schemas.append(source)
        return self.schemas.index(source) + 1

    def reply(self, path: str, body: bytes) -> tuple[int, Any]:
        match path.strip("/").split("/"):
            case ["subjects", subject, "versions"] if json.loads(body)["schemaType"] == "AVRO":
                source = json.loads(body)["schema"]
                named = json.loads(source)
                assert subject == f"{named['namespace']}.{named['name']}"
                return 200, {"id": self.register(source)}
            case ["schemas", "ids", number] if 0 < int(number) <= len(self.schemas):
                return 200, {"schema": self.schemas[int(number) - 1]}
            case _:
                return 404, {"error_code": 40403, "message": "Schema not found"}


@pytest.fixture
def registry() -> Generator[Registry]:
    state = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.requests.append(f"{self.command} {self.path}")
            state.credentials.append(self.headers.get("Authorization"))
            status, said = state.answer or state.reply(self.path, body)
            raw = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_POST = do_GET  # noqa: N815 - the server looks methods up by this name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - overridden
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()
        thread.join()


def test_records_are_written_with_the_registrys_id_and_read_back_elsewhere(registry: Registry) -> None:
    raw = Codec.from_settings(registry.url).encode(BEAT)
    assert raw[:5] == b"\x00\x00\x00\x00\x01"
    assert same(Codec.from_settings(registry.url).decode(raw), BEAT)


def test_the_subject_is_the_records_full_name(registry: Registry) -> None:
    RegistryCatalogue(registry.url).id_of(Heartbeat)
    assert registry.requests == ["POST /subjects/snowshed.Heartbeat/versions"]


def test_each_answer_is_asked_for_once(registry: Registry) -> None:
    codec = Codec.from_settings(registry.url)
    for _ in range(3):
        codec.decode(codec.encode(BEAT))
    assert registry.requests == ["POST /subjects/snowshed.Heartbeat/versions", "GET /schemas/ids/1"]


def test_the_catalogue_remembers_what_it_was_told(registry: Registry) -> None:
    catalogue = RegistryCatalogue(registry.url)
    assert catalogue.id_of(Heartbeat) == catalogue.id_of(Heartbeat) == 1
    assert catalogue.schema(1) is catalogue.schema(1)
    assert len(registry.requests) == 2


def test_without_a_registry_the_embedded_catalogue_is_used() -> None:
    assert Codec.from_settings(None).encode(BEAT) == Codec().encode(BEAT)


def test_records_from_before_the_registry_stay_readable_without_asking_it(registry: Registry) -> None:
    assert same(Codec.from_settings(registry.url).decode(Codec().encode(BEAT)), BEAT)
    assert registry.requests == []


def test_a_released_schema_is_recognised_under_the_registrys_id(registry: Registry) -> None:
    schema_id = registry.register(current_schema(Heartbeat).source)
    assert RegistryCatalogue(registry.url).schema(schema_id) is current_schema(Heartbeat)


def test_a_version_from_another_release_is_resolved(registry: Registry) -> None:
    source = json.loads(current_schema(Heartbeat).source)
    source["fields"].append({"name": "extra", "type": "double"})
    raw = Codec().encode(BEAT)
    newer = b"\x00" + registry.register(json.dumps(source)).to_bytes(4, "big") + raw[5:] + b"\x00" * 8
    assert same(Codec.from_settings(registry.url).decode(newer), BEAT)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('{"type": "record", "name": "Order", "namespace": "acme", "fields": []}', "is acme.Order, not a Snowshed"),
        ('"string"', "is no record"),
        ('{"type": "record"}', "not valid Avro"),
        ('{"type": "nonsense"}', "not valid Avro"),
        ("not json", "not valid Avro"),
        ("5", "not valid Avro"),
    ],
)
def test_a_schema_of_another_program_is_unknown(registry: Registry, source: str, reason: str) -> None:
    schema_id = registry.register(source)
    with pytest.raises(UnknownSchema, match=reason):
        RegistryCatalogue(registry.url).schema(schema_id)


def test_an_id_the_registry_does_not_know_is_not_asked_for_again_until_it_may_be_new(registry: Registry) -> None:
    now = 100.0
    catalogue = RegistryCatalogue(registry.url, forget_after=60.0, clock=lambda: now)
    for now in (100.0, 159.0):  # noqa: B007 - read by the clock
        with pytest.raises(UnknownSchema):
            catalogue.schema(1)
    assert len(registry.requests) == 1
    registry.register(current_schema(Heartbeat).source)
    now = 161.0
    assert catalogue.schema(1) is current_schema(Heartbeat)


def test_unknown_ids_are_not_remembered_without_end(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowshed.schemas.registry._REMEMBERED", 2)
    catalogue = RegistryCatalogue(registry.url)
    for schema_id in (1, 2, 3, 3, 1):
        with pytest.raises(UnknownSchema):
            catalogue.schema(schema_id)
    assert [request.rpartition("/")[2] for request in registry.requests] == ["1", "2", "3", "1"]


def test_an_incompatible_schema_is_a_configuration_error_with_a_remedy(registry: Registry) -> None:
    registry.answer = (409, b'{"message": "READER_FIELD_MISSING_DEFAULT_VALUE"}')
    with pytest.raises(ConfigurationError, match=r"409.*READER_FIELD.*upgrade Snowshed"):
        RegistryCatalogue(registry.url).id_of(Heartbeat)


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_a_refusal_is_a_configuration_error(registry: Registry, status: int) -> None:
    registry.answer = (status, b"no")
    with pytest.raises(ConfigurationError, match=f"answered {status} to .*/subjects/snowshed.Heartbeat/versions: no"):
        RegistryCatalogue(registry.url).id_of(Heartbeat)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_unavailable(registry: Registry, status: int) -> None:
    registry.answer = (status, b"busy")
    with pytest.raises(ServerUnavailable, match=str(status)):
        RegistryCatalogue(registry.url).id_of(Heartbeat)


@pytest.mark.parametrize("said", [b"<html>hello</html>", b"[]", b"{}", b'{"id": "x"}', b"\xff"])
def test_an_answer_that_is_not_a_registrys_is_a_configuration_error(registry: Registry, said: bytes) -> None:
    registry.answer = (200, said)
    with pytest.raises(ConfigurationError, match="is it a schema registry"):
        RegistryCatalogue(registry.url).id_of(Heartbeat)


def test_a_registry_that_was_down_is_asked_again(registry: Registry) -> None:
    catalogue = RegistryCatalogue(registry.url)
    registry.answer = (503, b"")
    with pytest.raises(ServerUnavailable):
        catalogue.id_of(Heartbeat)
    registry.answer = None
    assert catalogue.id_of(Heartbeat) == 1


def test_a_port_nobody_listens_on_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ServerUnavailable, match="does not answer"):
            RegistryCatalogue(f"http://127.0.0.1:{taken.getsockname()[1]}").id_of(Heartbeat)


@pytest.mark.timeout(3)
def test_a_server_that_keeps_silent_is_unavailable_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        catalogue = RegistryCatalogue(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.05)
        with pytest.raises(ServerUnavailable, match="timed out"):
            catalogue.id_of(Heartbeat)


def test_credentials_in_the_address_are_sent_and_do_not_show(registry: Registry) -> None:
    catalogue = RegistryCatalogue(registry.url.replace("://", "://ada:p%40ss@"))
    catalogue.id_of(Heartbeat)
    assert registry.credentials == [f"Basic {base64.b64encode(b'ada:p@ss').decode()}"]
    assert catalogue.url == registry.url


@pytest.mark.parametrize(
    "url", ["registry:8081", "ftp://registry", "file:///etc/passwd", "http://", "http://[::1", "http://a:x"]
)
def test_an_address_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="http://host:port"):
        RegistryCatalogue(url)


def test_registry_ids_never_hide_behind_embedded_ones() -> None:
    assert 1 not in embedded_catalogue()
