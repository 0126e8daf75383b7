"""Reads a policy file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.policy import Policy

__all__ = ["read_policy"]


def read_policy(path: Path | None) -> Policy:
    """The policy in a TOML file, or the built-in defaults when there is no file.

    Raises:
        ConfigurationError: the file cannot be read, is not TOML, or has a wrong key or value.
    """
    if path is None:
        return Policy()
    try:
        return Policy.from_mapping(tomllib.loads(path.read_text()))
    except OSError as error:
        raise ConfigurationError(f"policy file {path} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"policy file {path} is not valid TOML: {error}") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"policy file {path}: {error}") from error
