"""What all pictures share: whether they can be drawn, and an empty one."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from snowshed.schemas.errors import ConfigurationError

__all__ = ["figure", "require_plotting"]

_FORMATS = (".png", ".svg")


def require_plotting(path: Path) -> None:
    """See that a picture can be drawn, before a long run.

    Raises:
        ConfigurationError: the library is not installed, or the file's name has another ending.
    """
    if path.suffix not in _FORMATS:
        raise ConfigurationError(f"--plot {path}: the name must end in {' or '.join(_FORMATS)}")
    if find_spec("matplotlib") is None:
        raise ConfigurationError('--plot needs matplotlib: pip install "snowshed[plot]"')


def figure(width: float, height: float) -> Any:
    """An empty figure of so many inches, which needs no display."""
    return import_module("matplotlib.figure").Figure(figsize=(width, height), layout="constrained")
