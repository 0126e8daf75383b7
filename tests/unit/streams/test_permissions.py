"""The permissions of each role, and the lines that grant them."""

from __future__ import annotations

import pytest

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.permissions import ROLES, Grant, acl_lines, granted


@pytest.mark.parametrize("role", ROLES)
def test_names_are_those_of_the_installation(role: str) -> None:
    grants = [*granted(role, "fleet", "judges")]
    assert grants
    assert all(grant.name.startswith(("fleet", "judges")) or grant.resource == "cluster" for grant in grants)


def test_only_roles_that_write_may_write() -> None:
    writing = {role for role in ROLES if any(grant.operation == "Write" for grant in granted(role, "p", "a"))}
    people = {"operator", "approver", "retrier", "resetter"}
    assert writing == {"reporter", "worker", "notifier", "executor", *people}


def test_a_worker_may_write_under_its_own_prefix_alone() -> None:
    topics = [grant for grant in granted("worker", "fleet", "judges") if grant.resource == "topic"]
    assert {(grant.name, grant.prefixed) for grant in topics} == {("fleet.", True)}
    assert Grant("transactional-id", "judges-", "Write", prefixed=True) in [*granted("worker", "fleet", "judges")]


def test_lines_name_user_resource_and_operations() -> None:
    own = "kafka-acls.sh --bootstrap-server kafka:9092 --add --allow-principal User:shop"
    assert [*acl_lines([("shop", "guard")], "fleet", "judges", "kafka:9092")] == [
        f"{own} --topic fleet.decisions --operation Read"
    ]


def test_an_unknown_role_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="no role 'king'; there are reporter, guard, worker"):
        list(acl_lines([("anybody", "king")], "p", "a", "b"))
