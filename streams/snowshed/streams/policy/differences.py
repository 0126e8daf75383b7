"""What differs between two policies, and for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

from snowshed.schemas.toml_positions import Path
from snowshed.streams.policy.control import FeaturePolicy
from snowshed.streams.policy.declared import DatasetPolicy, QuorumPolicy, ServicePolicy
from snowshed.streams.policy.document import leaves
from snowshed.streams.policy.policy import Policy

__all__ = ["Change", "concerns", "differences"]

_T = TypeVar("_T")

_NAMED: Mapping[str, str] = MappingProxyType(
    {
        "services": "service {}",
        "datasets": "dataset {}",
        "features": "feature {}",
        "quorums": "consensus group {}",
    }
)
_EVERYONE: Mapping[str, str] = MappingProxyType(
    {
        "health": "every node",
        "edges": "every call edge",
        "lag": "every replica",
        "groups": "every consumer group",
        "statements": "every database's statements",
        "decisions": "every decision",
        "consistency": "every dataset that declares its consistency",
        "default_domain": "whatever names no domain",
        "version": "the file",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One setting that differs."""

    path: Path
    concerns: str
    """For whom it changes."""
    a: object
    b: object


def differences(a: Policy, b: Policy) -> tuple[Change, ...]:
    """Every setting that differs, in the order of the policy's sections; what is not named is as the default."""
    one, other = dict(leaves(_completed(a, b))), dict(leaves(_completed(b, a)))
    keys = [key for key in {**other, **one} if repr(one.get(key)) != repr(other.get(key))]
    return tuple(_change(key, one.get(key), other.get(key)) for key in keys)


def _change(path: Path, a: object, b: object) -> Change:
    return Change(path=path, concerns=concerns(path), a=a, b=b)


def concerns(path: Path) -> str:
    """Whom a setting is about."""
    if path[0] in _NAMED:
        return _NAMED[path[0]].format(path[1])
    return _EVERYONE.get(path[0], "every called service")


def _completed(policy: Policy, other: Policy) -> Policy:
    """The policy with everything named that the other names, at its defaults."""
    return replace(
        policy,
        services=_named(policy.services, other.services, ServicePolicy()),
        datasets=_named(policy.datasets, other.datasets, DatasetPolicy()),
        features=_named(policy.features, other.features, FeaturePolicy()),
        quorums=_named(policy.quorums, other.quorums, QuorumPolicy()),
    )


def _named(own: Mapping[str, _T], others: Mapping[str, Any], default: _T) -> Mapping[str, _T]:
    return {name: own.get(name, default) for name in sorted({*own, *others})}
