"""Reads a policy file."""

from __future__ import annotations

from pathlib import Path

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.policy import Document, Policy, parsed

__all__ = ["read_document", "read_policy"]


def read_policy(path: Path | None) -> Policy:
    """The policy in a TOML file, or the built-in defaults when there is no file.

    Raises:
        ConfigurationError: the file cannot be read, is not TOML, or has wrong keys or values; all of them are named.
    """
    return Policy() if path is None else read_document(path).policy


def read_document(path: Path) -> Document:
    """The policy in a TOML file, with its text and where each key stands.

    Raises:
        ConfigurationError: as of `read_policy`.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(f"policy file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"policy file {path} is not UTF-8: {error.reason} at byte {error.start}") from error
    return parsed(text, str(path))
