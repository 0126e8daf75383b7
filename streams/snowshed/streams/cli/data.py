"""Where `snowshed up` keeps records and logs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["data_folder"]


def data_folder(given: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder given, else `snowshed` in the user's data folder ($XDG_DATA_HOME, ~/.local/share)."""
    if given is not None:
        return given.resolve()
    base = environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "snowshed"
