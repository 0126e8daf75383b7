"""Fills names that incidents tell of into what runbooks declare; pure.

Names come from telemetry, and whoever may send telemetry chooses them. So a value has only letters, digits and a few
signs, does not begin like an option, and goes into one argument or one segment of a path, never through a shell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Template

from snowshed.schemas.errors import ConfigurationError, SnowshedError

__all__ = ["NAMES", "Unfit", "check_template", "filled"]

NAMES = ("service", "subject", "node", "domain", "incident", "dataset", "replica", "caller")
"""What a template may name."""

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,252}")


class Unfit(SnowshedError):
    """An incident does not tell what a runbook's step needs; the message says what."""


def filled(template: str, values: Mapping[str, str]) -> str:
    """A template with its names filled in.

    Raises:
        Unfit: the incident has no such value, or one that is not safe to hand on.
    """
    for name in Template(template).get_identifiers():
        value = values.get(name, "")
        if not value:
            raise Unfit(f"the incident tells no {name}, which {template!r} needs")
        if not _SAFE.fullmatch(value):
            raise Unfit(f"{name} {value!r} has characters that are not handed on")
    return Template(template).substitute(values)


def check_template(template: str) -> None:
    """Refuse a template that can never be filled.

    Raises:
        ConfigurationError: it names something unknown, or has a `$` that names nothing.
    """
    text = Template(template)
    if not text.is_valid():
        raise ConfigurationError(f"{template!r} has a $ that names nothing: write $$ for the sign itself")
    for name in text.get_identifiers():
        if name not in NAMES:
            raise ConfigurationError(f"{template!r} names ${name}; known are {', '.join(f'${one}' for one in NAMES)}")
