"""The schemas of a Confluent-compatible schema registry, over its REST interface."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, TypeVar, cast
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from fastavro import parse_schema
from fastavro.schema import SchemaParseException, UnknownType

from snowshed.schemas.catalogue import RECORD_TYPES, Schema, current_schema, embedded_catalogue, full_name
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable, UnknownSchema
from snowshed.schemas.records import Record

__all__ = ["RegistryCatalogue"]

_T = TypeVar("_T")

_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_REGISTERED_ELSEWHERE = 0
"""Version of a schema that a registry has and this release has not."""
_REMEMBERED = 1000
"""Unknown ids that are kept: random bytes name millions."""
_RECORDS = {full_name(record): record for record in RECORD_TYPES}


class RegistryCatalogue:
    """The catalogue of a schema registry; a schema's subject is its record's full name.

    The server is asked once for each record class written and each id read; records that were written with ids of
    the embedded catalogue, before there was a registry, stay readable.

    Args:
        url: address of the registry; `user:password@` in it is sent as basic authentication.
        timeout: seconds to wait for an answer.
        forget_after: seconds for which an id that the registry did not know is not asked for again.
        clock: seconds, monotonic.

    Raises:
        ConfigurationError: the url is not an http or https address.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 5.0,
        forget_after: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url, self._headers = _endpoint(url)
        self._timeout = timeout
        self._forget_after = forget_after
        self._clock = clock
        self._ids: dict[type[Record], int] = {}
        self._schemas: dict[int, Schema] = {}
        self._unknown: dict[int, float] = {}

    def id_of(self, record: type[Record]) -> int:
        """The id of the record's current schema, which is registered if it was not yet.

        Raises:
            ConfigurationError: the registry refuses the schema, or the client.
            ServerUnavailable: the registry does not answer.
        """
        if record not in self._ids:
            self._ids[record] = self._register(current_schema(record))
        return self._ids[record]

    def schema(self, schema_id: int) -> Schema:
        """The schema with this id.

        Raises:
            UnknownSchema: the registry does not have it, or it is not one of a Snowshed record.
            ServerUnavailable: the registry does not answer.
        """
        if schema_id in embedded_catalogue():
            return embedded_catalogue().schema(schema_id)
        if schema_id not in self._schemas:
            self._schemas[schema_id] = self._fetch(schema_id)
        return self._schemas[schema_id]

    def _register(self, schema: Schema) -> int:
        body = json.dumps({"schemaType": "AVRO", "schema": schema.source}).encode()
        return self._ask(f"/subjects/{schema.name}/versions", lambda answer: int(answer["id"]), body)

    def _fetch(self, schema_id: int) -> Schema:
        if self._clock() < self._unknown.get(schema_id, 0.0):
            raise UnknownSchema(
                f"schema id {schema_id} was no schema of Snowshed in the registry at {self.url} a moment ago"
            )
        try:
            return _schema(schema_id, self._ask(f"/schemas/ids/{schema_id}", lambda answer: str(answer["schema"])))
        except UnknownSchema:
            if len(self._unknown) >= _REMEMBERED:
                self._unknown.clear()
            self._unknown[schema_id] = self._clock() + self._forget_after
            raise

    def _ask(self, path: str, pick: Callable[[Any], _T], body: bytes | None = None) -> _T:
        request = Request(self.url + path, body, self._headers)  # noqa: S310 - _endpoint checks the scheme
        try:
            with urlopen(request, timeout=self._timeout) as answer:  # noqa: S310 - as above
                return pick(json.load(answer))
        except HTTPError as error:
            with error:
                raise _refusal(error, self.url + path) from error
        except (OSError, HTTPException) as error:
            raise ServerUnavailable(f"schema registry {self.url} does not answer: {error}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigurationError(f"{self.url} gave an answer of another form: is it a schema registry?") from error


def _endpoint(url: str) -> tuple[str, dict[str, str]]:
    # Errors do not repeat the address: it may hold a password.
    wrong = ConfigurationError("the schema registry's address must look like http://host:port")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable:
        raise wrong
    headers = {"Content-Type": _CONTENT_TYPE, "Accept": f"{_CONTENT_TYPE}, application/json"}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", "")), headers


def _refusal(error: HTTPError, url: str) -> Exception:
    detail = error.read(500).decode(errors="replace")
    said = f"schema registry answered {error.code} to {url}: {detail}"
    if error.code >= 500 or error.code in {408, 429}:
        return ServerUnavailable(said)
    if error.code == 404 and "/schemas/ids/" in url:
        return UnknownSchema(said)
    remedy = "; a newer release may have registered its schema: upgrade Snowshed" if error.code == 409 else ""
    return ConfigurationError(said + remedy)


def _schema(schema_id: int, source: str) -> Schema:
    try:
        parsed: Any = parse_schema(json.loads(source), {})
    except (ValueError, TypeError, KeyError, SchemaParseException, UnknownType) as error:
        raise UnknownSchema(f"schema id {schema_id} in the registry is not valid Avro: {error}") from error
    name = str(cast("dict[str, Any]", parsed).get("name", "")) if isinstance(parsed, dict) else ""
    record = _RECORDS.get(name)
    if record is None:
        raise UnknownSchema(f"schema id {schema_id} in the registry is {name or 'no record'}, not a Snowshed record")
    schema = Schema(record, _REGISTERED_ELSEWHERE, source, parsed)
    embedded = embedded_catalogue()
    return embedded.schema(schema.fixed_id) if schema.fixed_id in embedded else schema
