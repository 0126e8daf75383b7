"""The package says what is public."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import pytest

import snowshed.schemas

_MODULES = [
    "snowshed.schemas",
    *(f"snowshed.schemas.{found.name}" for found in iter_modules(snowshed.schemas.__path__)),
]


def _order(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, each by name: the order the linter keeps."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("name", _MODULES)
def test_a_modules_public_names_are_sorted_and_exist(name: str) -> None:
    module = import_module(name)
    assert module.__all__ == sorted(set(module.__all__), key=_order)
    assert [public for public in module.__all__ if not hasattr(module, public)] == []


def test_every_record_and_every_error_is_public() -> None:
    for name in ("records", "errors"):
        assert set(import_module(f"snowshed.schemas.{name}").__all__) <= set(snowshed.schemas.__all__)
