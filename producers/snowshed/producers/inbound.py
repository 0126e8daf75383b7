"""Remembers that a dependency failed while a request was served, so that the request's failure is not held against it.

Most programs answer any failure with the same status. Whether a service is the trigger or a victim shows only in
whether something it called had failed before.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Inbound", "dependency_failed", "serving"]


class Inbound:
    """One request being served, shared by all tasks and threads that work for it."""

    __slots__ = ("dependency_failed",)

    def __init__(self) -> None:
        self.dependency_failed = False


_INBOUND: ContextVar[Inbound | None] = ContextVar("snowshed_inbound", default=None)


@contextmanager
def serving(inbound: Inbound | None = None) -> Generator[Inbound]:
    """Serve a request inside the block, a new one unless it is given."""
    inbound = Inbound() if inbound is None else inbound
    token = _INBOUND.set(inbound)
    try:
        yield inbound
    finally:
        _INBOUND.reset(token)


def dependency_failed() -> None:
    """Note that a call made for the request being served, if any, has failed."""
    inbound = _INBOUND.get()
    if inbound is not None:
        inbound.dependency_failed = True
