"""A secret that stands in the environment or in a file, never in a settings file or a log line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from snowshed.schemas.errors import ConfigurationError

__all__ = ["Secret"]


class Secret:
    """A secret; its text shows only where it stands.

    Args:
        value: the secret itself.
        place: where it stands.
    """

    __slots__ = ("_value", "place")

    def __init__(self, value: str, place: str = "") -> None:
        self._value = value
        self.place = place

    @classmethod
    def named(cls, text: str, environ: Mapping[str, str] = os.environ) -> Secret:
        """The secret that `env:VARIABLE` or `file:PATH` names, without the white space around it.

        Raises:
            ConfigurationError: it has another form, or nothing stands there; what it says is not shown.
        """
        return cls(_standing(text, environ), text)

    def reveal(self) -> str:
        """The secret itself, to be handed to nobody but its receiver.

        A file is read again, because what stands there is renewed: a Kubernetes service account's token every hour.
        Where that fails, it is what was read before.
        """
        if self.place.startswith("file:"):
            with suppress(ConfigurationError):
                self._value = _standing(self.place, {})
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.place!r})"


def _standing(text: str, environ: Mapping[str, str]) -> str:
    kind, colon, name = text.partition(":")
    if kind == "env" and colon:
        value = environ.get(name, "")
    elif kind == "file" and colon:
        value = _read(Path(name))
    else:
        raise ConfigurationError("must name a secret by env:VARIABLE or file:PATH and not hold it")
    if not value.strip():
        raise ConfigurationError(f"names {text}, where nothing stands: set it")
    return value.strip()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(f"names the file {path}, which cannot be read: {error.strerror}") from error
