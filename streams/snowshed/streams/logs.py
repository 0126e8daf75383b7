"""structlog for everything a worker says, Faust's and mode's own lines included."""

from __future__ import annotations

import logging.config
import os
import sys
from typing import Any, Literal

import structlog

__all__ = ["WORKER_VARIABLE", "configure", "logging_config"]

Format = Literal["auto", "json", "console"]

WORKER_VARIABLE = "SNOWSHED_WORKER_NUMBER"
"""Which of several supervised workers this process is; every line it logs then says so."""


def _name_worker(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # No context variable: lanes log from threads of their own, which would not see it.
    if (number := os.environ.get(WORKER_VARIABLE)) is not None:
        event.setdefault("worker", int(number))
    return event


_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    _name_worker,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def logging_config(format_: Format, level: str) -> dict[str, Any]:
    """A `logging.config.dictConfig` that sends every record to standard error through structlog's formatter.

    Args:
        format_: `json` for machines, `console` for people, `auto` for console when standard error is a terminal.
        level: lowest level shown; other libraries are shown from WARNING on.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "snowshed": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(format_)],
                "foreign_pre_chain": _SHARED,
            }
        },
        "handlers": {
            # Faust's own command line puts a proxy that logs in place of sys.stderr.
            "stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.__stderr__", "formatter": "snowshed"}
        },
        # Below the first come our own events; mode logs under the modules' names that a service starts and stops.
        "loggers": {"snowshed": {"level": level.upper()}, "snowshed.streams": {"level": "WARNING"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
    }


def configure(format_: Format = "auto", level: str = "info") -> None:
    """Send structlog's and the standard library's records to standard error."""
    logging.config.dictConfig(logging_config(format_, level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=_named_logger,
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _named_logger(*_: object) -> logging.Logger:
    # Every structlog logger of this project hangs below one name, so that one level governs them.
    return logging.getLogger("snowshed")


def _renderers(format_: Format) -> list[structlog.typing.Processor]:
    people = format_ == "console" or (format_ == "auto" and sys.stderr.isatty())
    if people:
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
