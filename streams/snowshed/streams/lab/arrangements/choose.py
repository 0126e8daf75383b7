"""From a name to an arrangement."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import cast

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.lab.arrangements.kinds import Arrangement, Factory, Here

__all__ = ["NAMES", "arrangement", "factory_of", "needs_kafka"]

_HERE = "snowshed.streams.lab.arrangements"
NAMES: Mapping[str, str] = MappingProxyType(
    {
        "off": f"{_HERE}.plain:unprotected",
        "seen": f"{_HERE}.guarded:seen",
        "local": f"{_HERE}.guarded:local",
        "central": f"{_HERE}.guarded:central",
        "both": f"{_HERE}.guarded:both",
    }
)
"""Our own arrangements and their factories."""


def needs_kafka(name: str) -> bool:
    """Whether the processes report to Kafka."""
    return name in ("seen", "central", "both")


def arrangement(name: str, here: Here) -> Arrangement:
    """The arrangement for a process.

    Raises:
        ConfigurationError: there is no such arrangement.
    """
    return factory_of(name)(here)


def factory_of(name: str) -> Factory:
    """What makes an arrangement.

    Args:
        name: one of `NAMES`, or `package.module:function`.

    Raises:
        ConfigurationError: there is no such arrangement.
    """
    module, _, attribute = NAMES.get(name, name).partition(":")
    try:
        return cast("Factory", getattr(import_module(module), attribute))
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"there is no protection {name!r}: give one of {', '.join(NAMES)}, "
            f"or the path of a factory as package.module:function ({error})"
        ) from error
