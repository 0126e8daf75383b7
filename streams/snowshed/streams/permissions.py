"""What each role may do in Kafka, as one table: documentation, the `topics` command and the tests read it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.topics import AGENTS

__all__ = ["ROLES", "Access", "Grant", "Operation", "Resource", "Role", "acl_lines", "granted"]

Resource = Literal["topic", "group", "transactional-id", "cluster"]
Operation = Literal["Read", "Write", "Create", "Alter", "Describe", "DescribeConfigs"]


@dataclass(frozen=True, slots=True)
class Access:
    """Operations that a role needs on some resources; Kafka adds Describe to Read, Write and Alter by itself.

    Args:
        resource: the kind.
        names: full names, in which `{prefix}` and `{app}` stand for the installation's.
        operations: what is done.
        prefixed: whether the names are beginnings of names.
        purpose: what it is for, where that is not the role's whole work.
        optional: whether the role does without.
    """

    resource: Resource
    names: tuple[str, ...]
    operations: tuple[Operation, ...]
    prefixed: bool = False
    purpose: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """One way to use Kafka."""

    who: str
    accesses: tuple[Access, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """One operation on one resource, or on all whose names begin so: what an ACL says."""

    resource: Resource
    name: str
    operation: Operation
    prefixed: bool


def _topics(*short: str) -> tuple[str, ...]:
    return tuple(f"{{prefix}}.{name}" for name in short)


_INPUTS = _topics(*AGENTS.values())
_LOOKED_UP = "because the client looks its group up, in which it does nothing"
_FOLDING = (
    Access("group", ("{app}",), ("Read",)),
    Access("transactional-id", ("{app}-",), ("Write",), prefixed=True),
)

ROLES: Mapping[str, Role] = MappingProxyType(
    {
        "reporter": Role(
            "a service that reports, `snowshed agent`",
            (Access("topic", _topics("heartbeats", "timings", "markers"), ("Write",)),),
        ),
        "guard": Role("a service that obeys (Guard, router)", (Access("topic", _topics("decisions"), ("Read",)),)),
        "worker": Role(
            "`snowshed worker`, its supervisor",
            (
                Access("topic", _topics(""), ("Read", "Write"), prefixed=True),
                Access("topic", _topics(""), ("Create",), prefixed=True, purpose="for topics that are missing"),
                *_FOLDING,
                Access(
                    "cluster",
                    ("kafka-cluster",),
                    ("DescribeConfigs",),
                    purpose="to choose the group protocol",
                    optional=True,
                ),
            ),
        ),
        "watcher": Role(
            "an operator's `watch` and `explain`",
            (Access("topic", _topics("health", "lag", "incidents", "decisions"), ("Read",)),),
        ),
        "recorder": Role(
            "an operator's `record`, `replay --from-kafka` and `dead-letters`",
            (
                Access("topic", _topics(""), ("Read",), prefixed=True),
                Access("group", _topics("capture", "dead-letters"), ("Describe",), purpose=_LOOKED_UP),
            ),
        ),
        "retrier": Role(
            "an operator's `dead-letters retry`",
            (
                Access("topic", (*_INPUTS, *_topics("dead-letters")), ("Read", "Write")),
                Access("transactional-id", ("{prefix}-dead-letters-retry",), ("Write",)),
                Access("group", _topics("dead-letters"), ("Describe",), purpose=_LOOKED_UP),
            ),
        ),
        "notifier": Role(
            "`snowshed notify run`",
            (
                Access("topic", _topics("notices", "incidents", "decisions", "actions", "deliveries"), ("Read",)),
                Access("topic", _topics("deliveries", "dead-letters"), ("Write",)),
                Access("group", ("{prefix}.notify",), ("Read",)),
            ),
        ),
        "executor": Role(
            "`snowshed actions run`",
            (
                Access("topic", _topics("incidents", "decisions", "health", "actions"), ("Read",)),
                Access("topic", _topics("actions"), ("Write",)),
                Access("group", ("{prefix}.actions",), ("Read",)),
                Access("transactional-id", ("{prefix}-actions",), ("Write",)),
            ),
        ),
        "approver": Role(
            "a person's `actions list`, `approve` and `reject`",
            (Access("topic", _topics("actions"), ("Read", "Write")),),
        ),
        "operator": Role(
            "an operator's `policy apply`",
            (
                Access("topic", (*_INPUTS, *_topics("policies")), ("Read", "Write")),
                Access("transactional-id", ("{prefix}-policy",), ("Write",)),
                Access("group", _topics("capture"), ("Describe",), purpose=_LOOKED_UP),
            ),
        ),
        "resetter": Role(
            "an operator's `reset`",
            (
                Access("topic", _topics(""), ("Read", "Write"), prefixed=True),
                Access(
                    "topic",
                    _topics("state.", "journal.", "checkpoint."),
                    ("Alter",),
                    prefixed=True,
                    purpose="where an input was given more partitions",
                ),
                *_FOLDING,
                Access("group", _topics("capture"), ("Describe",), purpose=_LOOKED_UP),
            ),
        ),
    }
)
"""The roles by their names."""


def granted(role: str, prefix: str, app: str) -> Iterator[Grant]:
    """Every operation that a role needs, one by one.

    Args:
        role: its name.
        prefix: first part of every topic's name.
        app: the workers' group.

    Raises:
        ConfigurationError: there is no such role.
    """
    if role not in ROLES:
        raise ConfigurationError(f"there is no role {role!r}; there are {', '.join(ROLES)}")
    for access in ROLES[role].accesses:
        for name in access.names:
            for operation in access.operations:
                yield Grant(access.resource, name.format(prefix=prefix, app=app), operation, access.prefixed)


def acl_lines(users: Sequence[tuple[str, str]], prefix: str, app: str, bootstrap: str) -> Iterator[str]:
    """Lines that grant each user, given with the name of a role, what that role needs, with Kafka's own tool."""
    for user, role in users:
        granted_together: dict[tuple[Resource, str, bool], list[Operation]] = {}
        for grant in granted(role, prefix, app):
            granted_together.setdefault((grant.resource, grant.name, grant.prefixed), []).append(grant.operation)
        for (resource, name, prefixed), operations in granted_together.items():
            words = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--add", "--allow-principal", f"User:{user}"]
            words += [f"--{resource}"] if resource == "cluster" else [f"--{resource}", name]
            words += ["--resource-pattern-type", "prefixed"] if prefixed else []
            yield shlex.join([*words, *(word for operation in operations for word in ("--operation", operation))])
