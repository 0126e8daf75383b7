"""Puts a Guard around a whole function, plain or async."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

from snowshed.consumers.permit import Permit

__all__ = ["protected"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def protected(admit: Callable[[str], Permit], function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function, every call of which is admitted under its name."""
    name = function.__qualname__
    if inspect.iscoroutinefunction(function):
        return cast(Callable[_P, _R], _asynchronous(admit, function, name))

    @functools.wraps(function)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with admit(name):
            return function(*args, **kwargs)

    return guarded


def _asynchronous(
    admit: Callable[[str], Permit], function: Callable[_P, Coroutine[Any, Any, _R]], name: str
) -> Callable[_P, Coroutine[Any, Any, _R]]:
    @functools.wraps(function)
    async def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with admit(name):
            return await function(*args, **kwargs)

    return guarded
