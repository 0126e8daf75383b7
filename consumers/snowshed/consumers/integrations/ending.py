"""Lets the exception that leaves a block say how the call in it ended."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

__all__ = ["EndedBy"]


class EndedBy:
    """A block whose exception, if one leaves it, is told to `settle` on its way.

    Args:
        settle: states an outcome on the call's permit; the exception goes on in any case.
    """

    __slots__ = ("_settle",)

    def __init__(self, settle: Callable[[Exception], None]) -> None:
        self._settle = settle

    def __enter__(self) -> None:
        """Begins the block."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self._settle(error)
