"""Times the statements of a SQLAlchemy 2 engine.

::

    instrument_engine(engine, telemetry, callee="orders-db")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from snowshed.producers.instrument.fingerprint import fingerprint, statement_kind
from snowshed.producers.instrument.sqlstate import outcome_of_sqlstate
from snowshed.producers.outcome import Outcome, outcome_of
from snowshed.producers.recorder import Call
from snowshed.producers.telemetry import Telemetry

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["instrument_engine"]

_KEY = "snowshed_calls"


def instrument_engine(engine: Engine | AsyncEngine, telemetry: Telemetry, *, callee: str) -> None:
    """Report every statement of this engine as a call to `callee`.

    Args:
        engine: a synchronous or asynchronous engine.
        telemetry: where calls are reported.
        callee: the database's name in the fleet.
    """
    recorder = telemetry.recorder

    def before(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        call = recorder.call(callee, statement_kind(statement), statement=fingerprint(statement))
        connection.info.setdefault(_KEY, []).append(call.begin())

    def after(connection: Connection, *_: Any) -> None:
        _finish(connection, None)

    def failed(context: ExceptionContext) -> None:
        if context.connection is not None and context.statement is not None:
            _finish(context.connection, context)

    target = engine if isinstance(engine, Engine) else engine.sync_engine
    event.listen(target, "before_cursor_execute", before)
    event.listen(target, "after_cursor_execute", after)
    event.listen(target, "handle_error", failed)


def _finish(connection: Connection, context: ExceptionContext | None) -> None:
    calls: list[Call] = connection.info.get(_KEY, [])
    if not calls:
        return
    call = calls.pop()
    if context is not None:
        call.outcome = _outcome(context)
    call.end()


def _outcome(context: ExceptionContext) -> Outcome:
    original = context.original_exception
    code = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if code:
        return outcome_of_sqlstate(str(code))
    wrapped = context.sqlalchemy_exception
    if wrapped is None:
        return outcome_of(original)
    failed = context.is_disconnect or isinstance(wrapped, OperationalError | InterfaceError | InternalError)
    return Outcome.LOCAL if failed else Outcome.OK
