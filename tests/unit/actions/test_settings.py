"""Runbooks in a file: what may stand in them, and what is said of what may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.acting import plan
from typer.testing import CliRunner, Result

from snowshed.consumers.actions.executors.kubernetes import Kubernetes
from snowshed.consumers.actions.executors.systemd import Scope, Systemd
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import ActionKind, ActionMode, Guarantee, IncidentKind
from snowshed.streams.cli.app import build_app

GOOD = """
[budget]
count = 2
total = 5

[[runbooks]]
name = "scale-out"
mode = "automatic"
[runbooks.match]
kind = "overload"
service = ["pay*"]
level = 2
[runbooks.budget]
count = 1
per = 600
[runbooks.conditions]
max_unavailable = 0.34
[[runbooks.steps]]
do = "scale_out"
with = "kubernetes"
api = "https://10.0.0.1:6443"
token = "env:KUBE_TOKEN"
namespace = "shop"
target = "$service"
by = 2
guarantee = "idempotent"

[[runbooks]]
name = "promote"
[runbooks.match]
kind = ["node_failed"]
[[runbooks.steps]]
do = "promote_replica"
with = "command"
command = ["patronictl", "failover", "$service"]
timeout = 30
"""


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_TOKEN", "hunter2")


def test_runbooks_are_read_and_ask_a_person_unless_they_say_otherwise() -> None:
    scale, promote = plan(GOOD).runbooks
    assert (scale.mode, promote.mode) == (ActionMode.AUTOMATIC, ActionMode.APPROVAL)
    assert (scale.steps[0].guarantee, promote.steps[0].guarantee) == (Guarantee.IDEMPOTENT, Guarantee.AT_MOST_ONCE)
    assert scale.match.kinds == {IncidentKind.OVERLOAD}
    assert isinstance(scale.steps[0].executor, Kubernetes)
    assert scale.conditions.max_unavailable == 0.34
    assert plan(GOOD).budget.total == 5
    assert "hunter2" not in repr(plan(GOOD))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('mode = "automatic"', 'mode = "auto"', r"runbooks\[1\]\.mode must be one of approval, automatic, dry_run"),
        ("level = 2", "lvel = 2", r"runbooks\[1\]\.match\.lvel is unknown: did you mean 'level'"),
        ('kind = "overload"\n', 'kind = "overlode"\n', r"match\.kind must be one of node_failed"),
        ('kind = ["node_failed"]', "", r"runbooks\[2\]\.match needs a kind, a verdict or a level"),
        ('do = "scale_out"', 'do = "promote_replica"', r"is promote_replica, but kubernetes can only drain, migrate"),
        ('with = "command"', 'with = "ssh"', r"steps\[1\]\.with must be one of systemd, kubernetes, docker, command"),
        ('"failover", "$service"', '"failover", "$svc"', r"names \$svc; known are \$service"),
        ('"failover", "$service"', '"failover", "$"', r"has a \$ that names nothing"),
        ('"env:KUBE_TOKEN"', '"hunter2"', r"token must name a secret by env:VARIABLE or file:PATH"),
        ('"https://10.0.0.1:6443"', '"10.0.0.1"', r"api is no address: an address must begin with http://"),
        ("max_unavailable = 0.34", "max_unavailable = 34", r"max_unavailable must be a number from 0 to 1"),
        ('name = "promote"', 'name = "scale-out"', r"two runbooks are called scale-out"),
        ("timeout = 30", "timeout = 0", r"timeout must be a number from 0\.1"),
        ('command = ["patronictl", "failover", "$service"]', "command = []", r"command must name a program"),
        ("by = 2", 'ca = "/nowhere"', r"ca /nowhere cannot be used"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationError, match=told):
        plan(GOOD.replace(old, new))


def test_a_users_units_are_reached_on_this_machine_only() -> None:
    command = 'do = "promote_replica"\nwith = "command"\ncommand = ["patronictl", "failover", "$service"]\n'
    unit = 'do = "restart"\nwith = "systemd"\nunit = "$service.service"\nscope = "user"\n'
    executor = plan(GOOD.replace(command, unit)).runbooks[1].steps[0].executor
    assert executor == Systemd(ActionKind.RESTART, "$service.service", scope=Scope.USER)
    with pytest.raises(ConfigurationError, match=r"steps\[1\]\.scope is user, and systemctl reaches no user's"):
        plan(GOOD.replace(command, f'{unit}host = "$node"\n'))


def test_a_runbook_without_steps_and_a_file_without_runbooks_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"needs at least one \[\[runbooks\.steps\]\]"):
        plan('[[runbooks]]\nname = "a"\n[runbooks.match]\nkind = "overload"\n')
    with pytest.raises(ConfigurationError, match=r"needs at least one \[\[runbooks\]\]"):
        plan("[budget]\ncount = 1\n")


def run(*words: str) -> Result:
    return CliRunner().invoke(build_app(words), words)


def test_check_shows_what_runbooks_would_do_and_what_is_daring(tmp_path: Path) -> None:
    file = tmp_path / "runbooks.toml"
    file.write_text(GOOD.replace("max_unavailable = 0.34", ""))
    result = run("actions", "check", "--config", str(file))
    assert result.exit_code == 0
    assert "scale_out by kubernetes (idempotent, 60 s)" in result.output
    assert "runbook scale-out acts by itself while any number of nodes may be out" in result.output
    assert "hunter2" not in result.output
    assert run("actions", "check", "--config", str(tmp_path / "none.toml")).exit_code == 1
