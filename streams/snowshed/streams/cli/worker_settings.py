"""A worker's settings as the command line gives them."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.settings import WorkerSettings

__all__ = ["worker_settings"]


def worker_settings(**given: Any) -> WorkerSettings:
    """The settings in the environment, those given in their place; None leaves one to the environment.

    Raises:
        ConfigurationError: a value has a wrong form; the message names its variable.
    """
    try:
        return WorkerSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "__".join(str(part) for part in first["loc"]).upper()
        raise ConfigurationError(f"SNOWSHED_{name} (or its option): {first['msg']}, not {first['input']!r}") from error
