"""The messages of Envoy's rate limit service, version 3, as far as they are needed: names and numbers as published.

They are made here, in a pool of their own, so that a program may load Envoy's generated classes beside them.
"""

from __future__ import annotations

# protobuf is not marked as typed.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportMissingModuleSource=false
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["METHOD", "OK", "OVER_LIMIT", "SERVICE", "UNKNOWN", "RateLimitRequest", "RateLimitResponse"]

SERVICE = "envoy.service.ratelimit.v3.RateLimitService"
METHOD = "ShouldRateLimit"
UNKNOWN, OK, OVER_LIMIT = range(3)

_PACKAGE = "envoy.service.ratelimit.v3"
_SCALARS = {"string": 9, "bytes": 12, "uint32": 13, "uint64": 4, "int32": 5, "int64": 3}
_MESSAGE = 11
_OPTIONAL, _REPEATED = 1, 3

# What Envoy declares as an enum stands as int32 here: on the wire they are the same.
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "Duration": (("seconds", 1, "int64"), ("nanos", 2, "int32")),
    "HeaderValue": (("key", 1, "string"), ("value", 2, "string"), ("raw_value", 3, "bytes")),
    "Entry": (("key", 1, "string"), ("value", 2, "string")),
    "UInt64Value": (("value", 1, "uint64"),),
    "RateLimitDescriptor": (("entries", 1, "Entry*"), ("hits_addend", 3, "UInt64Value")),
    "RateLimitRequest": (
        ("domain", 1, "string"),
        ("descriptors", 2, "RateLimitDescriptor*"),
        ("hits_addend", 3, "uint32"),
    ),
    "DescriptorStatus": (
        ("code", 1, "int32"),
        ("limit_remaining", 3, "uint32"),
        ("duration_until_reset", 4, "Duration"),
    ),
    "RateLimitResponse": (
        ("overall_code", 1, "int32"),
        ("statuses", 2, "DescriptorStatus*"),
        ("response_headers_to_add", 3, "HeaderValue*"),
        ("request_headers_to_add", 4, "HeaderValue*"),
        ("raw_body", 5, "bytes"),
    ),
}


def _file() -> Any:
    file: Any = descriptor_pb2.FileDescriptorProto(name="snowshed/rls.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            label = _REPEATED if kind.endswith("*") else _OPTIONAL
            scalar = _SCALARS.get(kind)
            if scalar is None:
                type_name = f".{_PACKAGE}.{kind.rstrip('*')}"
                message.field.add(name=field, number=number, label=label, type=_MESSAGE, type_name=type_name)
            else:
                message.field.add(name=field, number=number, label=label, type=scalar)
    return file


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


_POOL: Any = descriptor_pool.DescriptorPool()
_POOL.AddSerializedFile(_file().SerializeToString())

RateLimitRequest: Any = _class("RateLimitRequest")
"""What Envoy asks: a domain and descriptors."""

RateLimitResponse: Any = _class("RateLimitResponse")
"""What it is told: one code for all, and one a descriptor."""
