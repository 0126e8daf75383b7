"""Files that lie next to the modules."""

from __future__ import annotations

from importlib import resources

__all__ = ["package_data"]

_PACKAGE = __name__.rpartition(".")[0]


def package_data(name: str) -> bytes:
    """The content of a file of this package."""
    return resources.files(_PACKAGE).joinpath(name).read_bytes()
