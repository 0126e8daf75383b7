"""A Guard in front of a gRPC channel.

::

    channel = grpc.intercept_channel(channel, GuardClientInterceptor(guard, caller="shop"))
    channel = grpc.aio.insecure_channel(target, interceptors=async_client_interceptors(guard, caller="shop"))
"""

from __future__ import annotations

# grpcio is not marked as typed.
# mypy: disable-error-code="import-untyped,misc"
# pyright: reportMissingTypeStubs=false, reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportAssignmentType=false
# One function stands for interceptors of all kinds, which name their parameters differently.
import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import grpc
import grpc.aio

from snowshed.consumers.guard import Guard
from snowshed.consumers.integrations.grpc.codes import metadata_with, settle
from snowshed.consumers.permit import Permit

__all__ = ["GuardClientInterceptor", "async_client_interceptors"]


class _Details(NamedTuple):
    method: Any
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class GuardClientInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Refuses calls of a channel with `Rejected` before they are sent; the propagation context travels in metadata.

    A call's time-out is cut to what its permit allows: the decided time-out and the time left.

    Args:
        guard: the guard of the service behind the channel.
        caller: the service that calls.
    """

    def __init__(self, guard: Guard, *, caller: str = "") -> None:
        self._guard = guard
        self._caller = caller

    def intercept_unary_unary(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Makes a call if the guard admits it; a stream counts as in flight until it ends."""
        permit = self._guard(client_call_details.method)
        metadata = metadata_with(client_call_details.metadata, self._caller)
        details = _Details(
            client_call_details.method,
            _least(client_call_details.timeout, permit.timeout),
            metadata,
            client_call_details.credentials,
            client_call_details.wait_for_ready,
            client_call_details.compression,
        )
        with ExitStack() as undo:
            undo.callback(permit.ignored)
            call = continuation(details, request)
            undo.pop_all()
        call.add_done_callback(lambda done: settle(permit, done.code()))
        return call

    intercept_unary_stream = intercept_unary_unary
    intercept_stream_unary = intercept_unary_unary
    intercept_stream_stream = intercept_unary_unary


def async_client_interceptors(guard: Guard, *, caller: str = "") -> list[Any]:
    """As `GuardClientInterceptor`, for asyncio channels, which want one interceptor for each kind of call.

    Args:
        guard: the guard of the service behind the channel.
        caller: the service that calls.
    """
    kinds = (_AsyncUnaryUnary, _AsyncUnaryStream, _AsyncStreamUnary, _AsyncStreamStream)
    return [kind(guard, caller) for kind in kinds]


class _Async:
    def __init__(self, guard: Guard, caller: str) -> None:
        self._guard = guard
        self._caller = caller
        self._watches: set[asyncio.Task[None]] = set()

    async def call(self, continuation: Callable[..., Awaitable[Any]], details: Any, request: Any) -> Any:
        method: str = details.method.decode() if isinstance(details.method, bytes) else details.method
        permit = self._guard(method)
        metadata = grpc.aio.Metadata(*metadata_with(details.metadata, self._caller))
        with ExitStack() as undo:
            undo.callback(permit.ignored)
            timeout = _least(details.timeout, permit.timeout)
            call = await continuation(details._replace(metadata=metadata, timeout=timeout), request)
            undo.pop_all()
        watch = asyncio.ensure_future(_watch(permit, call))
        self._watches.add(watch)  # the event loop alone does not keep a task
        watch.add_done_callback(self._watches.discard)
        return call


def _least(given: float | None, allowed: float | None) -> float | None:
    return min((one for one in (given, allowed) if one is not None), default=None)


async def _watch(permit: Permit, call: Any) -> None:
    with permit:
        settle(permit, await call.code())


class _AsyncUnaryUnary(_Async, grpc.aio.UnaryUnaryClientInterceptor):
    intercept_unary_unary = _Async.call


class _AsyncUnaryStream(_Async, grpc.aio.UnaryStreamClientInterceptor):
    intercept_unary_stream = _Async.call


class _AsyncStreamUnary(_Async, grpc.aio.StreamUnaryClientInterceptor):
    intercept_stream_unary = _Async.call


class _AsyncStreamStream(_Async, grpc.aio.StreamStreamClientInterceptor):
    intercept_stream_stream = _Async.call
