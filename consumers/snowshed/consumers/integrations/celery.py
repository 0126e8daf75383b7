"""A Guard in front of Celery's tasks: what it refuses goes back to the queue and comes again later.

::

    app = Celery("shop", task_cls=guarded_task(guard))
    propagate(caller="shop")
"""

from __future__ import annotations

# Celery is not marked as typed.
# mypy: disable-error-code="import-untyped,misc"
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from celery import Task, signals
from celery.exceptions import Ignore, Retry, SoftTimeLimitExceeded

from snowshed.consumers.admission.decided import Brake, Refusal
from snowshed.consumers.guard import Guard
from snowshed.consumers.permit import Permit
from snowshed.schemas.propagation import ATTEMPT, CallContext, call_context, emit, parse, use_context

__all__ = ["guarded_task", "propagate"]

_PROPAGATION = "snowshed-propagation"


def guarded_task(guard: Guard, *, exempt: Iterable[str] = ("celery.backend_cleanup",)) -> type[Any]:
    """A base class whose tasks ask the guard before they run, by the class and the attempt of their headers.

    A refused task is sent again to its queue with the refusal's `retry_after` as countdown. That is none of the task's
    own retries, which count as attempts. An exception of the task decides the outcome; a soft time limit is dropped.
    A task whose deadline has passed ends as Celery's own expired tasks do: revoked, with the reason as its result and
    `task_revoked` sent with `expired`. Without a queue, in eager mode, `Rejected` is raised; a task that is called as a
    plain function is not guarded.

    Args:
        guard: the guard of what the tasks load.
        exempt: names of tasks that are never refused.
    """
    never_refused = frozenset(exempt)

    class GuardedTask(Task):
        abstract = True
        name: str

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            if self.request.called_directly:
                return super().__call__(*args, **kwargs)
            with use_context(_context_of(self.request)):
                answer = guard.try_admit(self.name, exempt=self.name in never_refused)
                if isinstance(answer, Refusal):
                    raise _ended(self, args, kwargs, answer, guard)
                with answer, _time_limit(answer):
                    return self.run(*args, **kwargs)

    return GuardedTask


def propagate(*, caller: str = "") -> None:
    """Lets tasks that this process sends carry the context of the request that they are sent for; the last call holds.

    Args:
        caller: the service that sends.
    """

    def add(headers: dict[str, Any] | None = None, **_: Any) -> None:
        if headers is not None and ATTEMPT not in headers:  # a retried task keeps what it came with
            headers.update(emit(call_context(), caller=caller, now=time.monotonic()))

    signals.before_task_publish.disconnect(dispatch_uid=_PROPAGATION)
    signals.before_task_publish.connect(add, weak=False, dispatch_uid=_PROPAGATION)


def _context_of(request: Any) -> CallContext:
    carried: dict[str, Any] = request.headers or {}
    headers = {name: value for name, value in carried.items() if isinstance(value, str)}
    context = parse(headers, time.monotonic())
    return replace(context, attempt=context.attempt + request.retries)


@contextmanager
def _time_limit(permit: Permit) -> Generator[None]:
    try:
        yield
    except SoftTimeLimitExceeded:
        permit.dropped()
        raise


def _ended(task: Any, args: tuple[Any, ...], kwargs: dict[str, Any], refusal: Refusal, guard: Guard) -> Any:
    """Does with a refused task what its refusal asks for, and returns what tells Celery so."""
    if task.request.is_eager:  # there is no queue
        return refusal.error(guard.scope)
    if refusal.brake is Brake.DEADLINE:  # it would be refused for ever
        return _revoked(task, refusal)
    return _put_back(task, args, kwargs, refusal)


def _revoked(task: Any, refusal: Refusal) -> Ignore:
    request = task.request
    task.backend.mark_as_revoked(request.id, refusal.reason, request=request, store_result=not task.ignore_result)
    signals.task_revoked.send(sender=task, request=request, terminated=False, signum=None, expired=True)
    return Ignore(refusal.reason)


def _put_back(task: Any, args: tuple[Any, ...], kwargs: dict[str, Any], refusal: Refusal) -> Retry:
    signature = task.signature_from_request(
        task.request, args, kwargs, countdown=refusal.retry_after, retries=task.request.retries
    )
    signature.apply_async()
    return Retry(refusal.reason, when=refusal.retry_after, sig=signature)
