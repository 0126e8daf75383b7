"""A Guard in front of a gRPC server.

::

    server = grpc.server(pool, interceptors=[GuardInterceptor(guard)])
    server = grpc.aio.server(interceptors=[AsyncGuardInterceptor(guard)])
"""

from __future__ import annotations

# grpcio is not marked as typed.
# mypy: disable-error-code="import-untyped,misc"
# pyright: reportMissingTypeStubs=false
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from inspect import isasyncgen, isawaitable
from typing import Any

import grpc
import grpc.aio

from snowshed.consumers.admission.decided import Refusal
from snowshed.consumers.guard import Guard
from snowshed.consumers.integrations.ending import EndedBy
from snowshed.consumers.integrations.grpc.codes import (
    EXEMPT_SERVICES,
    code_of,
    context_of,
    refusal_metadata,
    settle,
)
from snowshed.consumers.permit import Permit
from snowshed.schemas.propagation import CallContext, use_context

__all__ = ["AsyncGuardInterceptor", "GuardInterceptor"]

_END = object()


class _Admission:
    """Asks the guard for one method."""

    def __init__(self, guard: Guard, exempt: frozenset[str], method: str) -> None:
        self.guard = guard
        self._method = method
        self._exempt = method.strip("/").rpartition("/")[0] in exempt

    def ask(self, context: Any) -> tuple[CallContext, Permit | Refusal]:
        """The call's context and what the guard says."""
        call = context_of(context.invocation_metadata(), context.time_remaining())
        with use_context(call):
            return call, self.guard.try_admit(self._method, exempt=self._exempt)


class GuardInterceptor(grpc.ServerInterceptor):
    """Admits the calls of a threaded server by their propagated class and attempt.

    A refused call ends with RESOURCE_EXHAUSTED, or UNAVAILABLE when its class is degraded away, and tells in
    `grpc-retry-pushback-ms` when to come back. The propagated context is set for the handler.

    Args:
        guard: the guard of this service.
        exempt_services: full names of services that are never refused.
    """

    def __init__(self, guard: Guard, *, exempt_services: Iterable[str] = EXEMPT_SERVICES) -> None:
        self._guard = guard
        self._exempt = frozenset(exempt_services)

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Puts the guard in front of a method's handler."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        admission = _Admission(self._guard, self._exempt, handler_call_details.method)
        return _rebuilt(
            handler, _stream(admission, handler) if handler.response_streaming else _unary(admission, handler)
        )


class AsyncGuardInterceptor(grpc.aio.ServerInterceptor):
    """As `GuardInterceptor`, for asyncio servers with asynchronous handlers.

    Args:
        guard: the guard of this service.
        exempt_services: full names of services that are never refused.
    """

    def __init__(self, guard: Guard, *, exempt_services: Iterable[str] = EXEMPT_SERVICES) -> None:
        self._guard = guard
        self._exempt = frozenset(exempt_services)

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """Puts the guard in front of a method's handler."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        admission = _Admission(self._guard, self._exempt, handler_call_details.method)
        guarded = _async_stream if handler.response_streaming else _async_unary
        return _rebuilt(handler, guarded(admission, handler))


def _behavior(handler: Any) -> Any:
    return handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream


def _rebuilt(handler: Any, behavior: Callable[..., Any]) -> Any:
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    return make(behavior, handler.request_deserializer, handler.response_serializer)


@contextmanager
def _settled(permit: Permit, context: Any) -> Generator[None]:
    """Ends the permit by the status that the handler has set, whether it returned or aborted."""

    def aborted(_: Exception) -> None:
        if context.code():  # otherwise the exception itself decides
            settle(permit, context.code())

    with permit, EndedBy(aborted):
        try:
            yield
        except GeneratorExit:  # a threaded server closes a stream whose client has gone
            permit.dropped()
            raise
        settle(permit, context.code() or None)


def _unary(admission: _Admission, handler: Any) -> Callable[[Any, Any], Any]:
    behavior = _behavior(handler)

    def guarded(request: Any, context: Any) -> Any:
        call, answer = admission.ask(context)
        if isinstance(answer, Refusal):
            context.set_trailing_metadata(refusal_metadata(answer, admission.guard))
            return context.abort(code_of(answer), answer.reason)
        with _settled(answer, context), use_context(call):
            return behavior(request, context)

    return guarded


def _stream(admission: _Admission, handler: Any) -> Callable[[Any, Any], Iterator[Any]]:
    behavior = _behavior(handler)

    def guarded(request: Any, context: Any) -> Iterator[Any]:
        call, answer = admission.ask(context)
        if isinstance(answer, Refusal):
            context.set_trailing_metadata(refusal_metadata(answer, admission.guard))
            context.abort(code_of(answer), answer.reason)
            return
        with _settled(answer, context):
            with use_context(call):
                responses = iter(behavior(request, context))
            while True:
                with use_context(call):  # only while the handler runs: the stream may be closed elsewhere
                    response = next(responses, _END)
                if response is _END:
                    break
                yield response

    return guarded


def _async_unary(admission: _Admission, handler: Any) -> Callable[[Any, Any], Awaitable[Any]]:
    behavior = _behavior(handler)

    async def guarded(request: Any, context: Any) -> Any:
        call, answer = admission.ask(context)
        if isinstance(answer, Refusal):
            await context.abort(code_of(answer), answer.reason, refusal_metadata(answer, admission.guard))
            return None
        with _settled(answer, context), use_context(call):
            return await behavior(request, context)

    return guarded


def _async_stream(admission: _Admission, handler: Any) -> Callable[[Any, Any], AsyncGenerator[Any]]:
    behavior = _behavior(handler)

    async def guarded(request: Any, context: Any) -> AsyncGenerator[Any]:
        call, answer = admission.ask(context)
        if isinstance(answer, Refusal):
            await context.abort(code_of(answer), answer.reason, refusal_metadata(answer, admission.guard))
            return
        with _settled(answer, context):
            with use_context(call):
                made = behavior(request, context)
                if isawaitable(made):  # the handler writes its responses itself
                    await made
                    return
            async with _Closing(aiter(made), call) as responses:
                while True:
                    with use_context(call):  # only while the handler runs: the stream may be closed elsewhere
                        response = await anext(responses, _END)
                    if response is _END:
                        break
                    yield response

    return guarded


class _Closing:
    """Closes a handler's stream in the context of its call, where a stream can be closed."""

    def __init__(self, stream: AsyncIterator[Any], call: CallContext) -> None:
        self._stream = stream
        self._call = call

    async def __aenter__(self) -> AsyncIterator[Any]:
        return self._stream

    async def __aexit__(self, *details: object) -> None:
        if isasyncgen(self._stream):
            with use_context(self._call):
                await self._stream.aclose()
