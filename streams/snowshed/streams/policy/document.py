"""A policy file's text as a policy: all that is wrong with it at once, each with its place, or the policy."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, cast

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.toml_positions import Path, Position, located, nearest, positions
from snowshed.streams.policy.checks import inconsistencies
from snowshed.streams.policy.mapping import Problem, read
from snowshed.streams.policy.policy import Policy

__all__ = ["Document", "PolicyError", "fingerprint", "leaves", "parsed", "salvaged"]


class PolicyError(ConfigurationError):
    """A policy's text is wrong; the message has a line for each mistake.

    Args:
        name: of the file, for the message.
        problems: what is wrong, as it stands in the file.
        places: where each key stands.
    """

    def __init__(self, name: str, problems: Sequence[Problem], places: Mapping[Path, Position]) -> None:
        self.name = name
        self.problems = tuple(sorted(problems, key=lambda one: nearest(one.path, places) or Position(0, 0)))
        self.places = tuple(nearest(one.path, places) for one in self.problems)
        lines = [f"{located(name, at)}: {one}" for one, at in zip(self.problems, self.places, strict=True)]
        super().__init__("\n".join(lines))


@dataclass(frozen=True, slots=True)
class Document:
    """A policy and the text that it was read from."""

    text: str
    policy: Policy
    fingerprint: str
    places: Mapping[Path, Position]
    """Where each key of the text stands."""


@lru_cache(maxsize=16)
def parsed(text: str, name: str = "policy") -> Document:
    """The policy in a text.

    Args:
        text: TOML.
        name: what to call it in errors, such as the file's name.

    Raises:
        PolicyError: a key or a value is wrong; it names all of them.
        ConfigurationError: the text is not TOML.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name} is not valid TOML: {error}") from error
    policy, problems = read(Policy, table)
    places = positions(text)
    problems = problems or tuple(inconsistencies(policy))
    if problems:
        raise PolicyError(name, problems, places)
    return Document(text, policy, fingerprint(policy), places)


@lru_cache(maxsize=16)
def salvaged(text: str) -> Policy:
    """The policy in a text that some release has accepted; what this one does not know stays at its default."""
    return read(Policy, tomllib.loads(text))[0]


def fingerprint(policy: Policy) -> str:
    """Twelve hexadecimal digits that differ where two policies judge differently; comments and order do not count."""
    settings = "\n".join(f"{'.'.join(map(repr, path))}={value!r}" for path, value in sorted(leaves(policy)))
    return blake2b(settings.encode(), digest_size=6).hexdigest()


def leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Every setting with its key and its plain value; an enum by its value."""
    if isinstance(value, Enum):
        yield path, value.value
    elif is_dataclass(value):
        for item in fields(value):
            yield from leaves(getattr(value, item.name), (*path, item.name))
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[str, Any]", value).items():
            yield from leaves(item, (*path, key))
    else:
        yield path, value
