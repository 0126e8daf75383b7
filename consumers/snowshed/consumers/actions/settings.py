"""Runbooks from a TOML file."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from snowshed.consumers.actions.executors import docker, kubernetes
from snowshed.consumers.actions.executors.base import Executor
from snowshed.consumers.actions.executors.command import Command
from snowshed.consumers.actions.executors.docker import Docker
from snowshed.consumers.actions.executors.kubernetes import Kubernetes
from snowshed.consumers.actions.executors.systemd import VERBS, Scope, Systemd
from snowshed.consumers.actions.executors.webhook import WebhookCall
from snowshed.consumers.actions.runbook import Budget, Conditions, Match, Plan, Runbook, Step
from snowshed.consumers.actions.values import check_template
from snowshed.consumers.outward.http import Endpoint
from snowshed.consumers.outward.table import Table, read_table
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import ActionKind, ActionMode, Guarantee, IncidentKind, ServiceStatus

__all__ = ["plan_of", "read_plan"]


def read_plan(path: Path) -> Plan:
    """The runbooks in a file.

    Raises:
        ConfigurationError: the file cannot be read, or a key or value in it is wrong.
    """
    return plan_of(read_table(path))


def plan_of(table: Table) -> Plan:
    """The runbooks in a table.

    Raises:
        ConfigurationError: a key or value is wrong.
    """
    budget = _budget(table.table("budget"), Budget(count=3, total=10))
    runbooks = tuple(_runbook(inside) for inside in table.tables("runbooks"))
    table.done()
    names = [runbook.name for runbook in runbooks]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigurationError(f"{table.where}: two runbooks are called {', '.join(sorted(twice))}: rename one")
    if not runbooks:
        raise ConfigurationError(f"{table.where} needs at least one [[runbooks]]")
    return Plan(runbooks, budget)


def _runbook(table: Table) -> Runbook:
    name = table.text("name")
    runbook = Runbook(
        name=name,
        match=_match(table.table("match")),
        steps=tuple(_step(inside) for inside in table.tables("steps")),
        mode=table.choice("mode", ActionMode, ActionMode.APPROVAL),
        budget=_budget(table.table("budget"), Budget()),
        conditions=_conditions(table.table("conditions")),
        expires=table.number("expires", 900.0, low=1.0),
    )
    table.done()
    if not runbook.steps:
        raise table.wrong("steps", f"is missing: runbook {name} needs at least one [[runbooks.steps]]")
    return runbook


def _match(table: Table) -> Match:
    match = Match(
        kinds=table.choices("kind", IncidentKind),
        services=table.texts("service", ()),
        verdicts=table.choices("verdict", ServiceStatus),
        level=table.count("level", 0),
        confidence=table.number("confidence", 0.0, high=1.0),
        open_for=table.number("open_for", 0.0),
    )
    table.done()
    if not (match.kinds or match.verdicts or match.level):
        raise ConfigurationError(f"{table.where} needs a kind, a verdict or a level: it would answer everything")
    return match


def _budget(table: Table, default: Budget) -> Budget:
    budget = Budget(
        count=table.count("count", default.count),
        total=table.count("total", default.total),
        per=table.number("per", default.per, low=1.0),
    )
    table.done()
    return budget


def _conditions(table: Table) -> Conditions:
    conditions = Conditions(
        when_blind=table.flag("when_blind", default=False),
        max_unavailable=table.number("max_unavailable", high=1.0) if "max_unavailable" in table.names() else None,
        spacing=table.number("spacing", 60.0),
    )
    table.done()
    return conditions


def _step(table: Table) -> Step:
    kind = table.choice("do", ActionKind)
    name = table.text("with")
    if name not in _EXECUTORS:
        raise table.wrong("with", f"must be one of {', '.join(_EXECUTORS)}, not {name!r}")
    step = Step(
        kind=kind,
        executor=_EXECUTORS[name](table, kind),
        guarantee=table.choice("guarantee", Guarantee, Guarantee.AT_MOST_ONCE),
        timeout=table.number("timeout", 60.0, low=0.1),
        attempts=table.count("attempts", 3, low=1),
    )
    table.done()
    return step


def _command(table: Table, kind: ActionKind) -> Executor:
    del kind  # the program knows
    words = table.texts("command")
    if not words:
        raise table.wrong("command", "must name a program")
    for word in words:
        _checked(table, "command", word)
    return Command(words, table.texts("pass_env", ()))


def _systemd(table: Table, kind: ActionKind) -> Executor:
    _able(table, "systemd", kind, frozenset(VERBS))
    host = table.text("host", "")
    scope = table.choice("scope", Scope, Scope.SYSTEM)
    if host and scope is Scope.USER:
        raise table.wrong("scope", "is user, and systemctl reaches no user's systemd on another host: leave host out")
    return Systemd(kind, _template(table, "unit"), _checked(table, "host", host), scope)


def _webhook(table: Table, kind: ActionKind) -> Executor:
    inside = table.table("parameters")
    parameters = {name: _template(inside, name) for name in inside.names()}
    return WebhookCall(kind, _endpoint(table, "url"), parameters, table.secret_or_none("secret"))


def _kubernetes(table: Table, kind: ActionKind) -> Executor:
    _able(table, "kubernetes", kind, kubernetes.KINDS)
    return Kubernetes(
        kind=kind,
        endpoint=_endpoint(table, "api"),
        token=table.secret_or_none("token"),
        namespace=table.text("namespace", "default"),
        target=_template(table, "target"),
        by=table.count("by", 1, low=1),
        most=table.count("most", 10, low=1),
    )


def _docker(table: Table, kind: ActionKind) -> Executor:
    _able(table, "docker", kind, docker.KINDS)
    return Docker(
        kind=kind,
        endpoint=_endpoint(table, "engine", "unix:///var/run/docker.sock"),
        target=_template(table, "target"),
        by=table.count("by", 1, low=1),
        most=table.count("most", 10, low=1),
    )


_EXECUTORS: Mapping[str, Callable[[Table, ActionKind], Executor]] = {
    "systemd": _systemd,
    "kubernetes": _kubernetes,
    "docker": _docker,
    "command": _command,
    "webhook": _webhook,
}


def _endpoint(table: Table, key: str, default: str | None = None) -> Endpoint:
    url = table.text(key) if default is None else table.text(key, default)
    authority = table.text("ca", "")
    try:
        context = ssl.create_default_context(cafile=authority) if authority else None
        return Endpoint(url, context=context)
    except OSError as error:
        raise table.wrong("ca", f"{authority} cannot be used: {error}") from error
    except ConfigurationError as error:
        raise table.wrong(key, f"is no address: {error}") from error


def _template(table: Table, key: str) -> str:
    return _checked(table, key, table.text(key))


def _checked(table: Table, key: str, text: str) -> str:
    try:
        check_template(text)
    except ConfigurationError as error:
        raise table.wrong(key, f"is wrong: {error}") from error
    return text


def _able(table: Table, name: str, kind: ActionKind, kinds: frozenset[ActionKind]) -> None:
    if kind not in kinds:
        able = ", ".join(sorted(one.value for one in kinds))
        raise table.wrong("do", f"is {kind.value}, but {name} can only {able}: use a command or a webhook")
