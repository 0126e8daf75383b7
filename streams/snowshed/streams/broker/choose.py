"""Which kind of broker to use: a decision on settings alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from snowshed.schemas.errors import BrokerUnavailable, ConfigurationError

__all__ = ["BrokerSettings", "Kind", "candidates", "none_available", "parse_kind"]

Kind = Literal["external", "docker", "local"]
"""A running broker elsewhere, one in a container, or one that is a child process."""

_KINDS: tuple[Kind, ...] = get_args(Kind)

_REMEDIES = (
    "Either start Docker (as root: systemctl start docker) or install what the local broker needs "
    "(on Debian, as root: apt-get install openjdk-17-jre-headless maven)."
)


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Which broker is wanted.

    Args:
        bootstrap: address of a running broker, `host:port[,host:port…]`.
        force: the only kind to try.
        data: folder for the records of a local broker; a container keeps its own in a named volume when this is set.
            Without it the records end with the broker.
        port: loopback port for clients of a local or containerised broker; any free one when absent.
        extra: broker settings that replace ours, by their names in Kafka's documentation.
    """

    bootstrap: str | None = None
    force: Kind | None = None
    data: Path | None = None
    port: int | None = None
    extra: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> BrokerSettings:
        """Settings from $SNOWSHED_BOOTSTRAP and $SNOWSHED_BROKER (external, docker or local).

        Raises:
            ConfigurationError: $SNOWSHED_BROKER names no kind.
        """
        return cls(bootstrap=environ.get("SNOWSHED_BOOTSTRAP") or None, force=parse_kind(environ, "SNOWSHED_BROKER"))


def parse_kind(environ: Mapping[str, str], name: str) -> Kind | None:
    """The kind that an environment variable names, None when it is unset or empty.

    Raises:
        ConfigurationError: it names no kind.
    """
    wanted = environ.get(name)
    if not wanted:
        return None
    for kind in _KINDS:
        if kind == wanted:
            return kind
    raise ConfigurationError(f"{name}={wanted!r} is not one of {', '.join(_KINDS)}")


def candidates(settings: BrokerSettings, *, own: tuple[Kind, ...] = ("docker", "local")) -> tuple[Kind, ...]:
    """The kinds to try, best first.

    Args:
        settings: what is wanted.
        own: the order among brokers of our own, used when no address is given.

    Raises:
        ConfigurationError: an external broker is forced but no address is given.
    """
    if settings.force == "external" and settings.bootstrap is None:
        raise ConfigurationError("an external broker is forced but has no address: set SNOWSHED_BOOTSTRAP=host:port")
    if settings.force is not None:
        return (settings.force,)
    return own if settings.bootstrap is None else ("external",)


def none_available(reasons: Mapping[Kind, BrokerUnavailable]) -> BrokerUnavailable:
    """The one error for a choice that is exhausted, with why each kind failed and what helps."""
    if "external" in reasons:
        return reasons["external"]
    lines = [f"  {kind}: {reason}" for kind, reason in reasons.items()]
    return BrokerUnavailable("\n".join(["no Kafka broker can be started.", *lines, _REMEDIES]))
