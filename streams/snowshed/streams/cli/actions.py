"""`snowshed actions`: what runbooks propose, what people say to it, and carrying it out."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer
from rich.table import Table

from snowshed.consumers.actions import Executive, Plan, Runbook, read_plan
from snowshed.consumers.actions.executive import FOLLOWED
from snowshed.consumers.actions.orders import chosen, followed, give
from snowshed.consumers.actions.states import FINAL
from snowshed.schemas.records import ActionMode, ActionOrder, ActionState, ActionStatus, OrderVerdict
from snowshed.schemas.topics import Topics
from snowshed.streams import logs
from snowshed.streams.cli.attached import Attached, end_with_standard_input
from snowshed.streams.cli.console import out, print_json
from snowshed.streams.cli.notify import ended_by_signal
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix, connection_to
from snowshed.streams.cli.reaching import require_topics
from snowshed.streams.cli.readiness import tell_ready

__all__ = ["group"]

_ANSWER = 15.0

Config = Annotated[Path, typer.Option("--config", envvar="SNOWSHED_RUNBOOKS", help="Runbooks (TOML).")]
ActionId = Annotated[str, typer.Argument(metavar="ACTION", help="Its id, or how it begins.")]
By = Annotated[str | None, typer.Option(help="Who says so (default: the user of this process).")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]


def run(
    *,
    config: Config = Path("runbooks.toml"),
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    attached: Attached = False,
) -> None:
    """Carry out runbooks until SIGTERM or Ctrl-C, then wait for the actions that run.

    Several may run: one acts, the others take over when it ends.
    """
    plan = read_plan(config)
    logs.configure()
    connection, topics = connection_to(bootstrap), Topics(prefix)
    require_topics(connection, topics, *FOLLOWED)
    stop = ended_by_signal()
    if attached:
        end_with_standard_input()
    me = f"{socket.gethostname()}:{os.getpid()}"
    Executive(connection, topics, plan, me=me, ready=tell_ready).run(stop)


def list_actions(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Show those that have ended too.")] = False,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """List actions, newest last, and what they wait for."""
    connection, topics = connection_to(bootstrap), Topics(prefix)
    require_topics(connection, topics, "actions")
    with followed(connection, topics) as situation, situation.still():
        states = sorted(situation.actions.values(), key=lambda state: state.proposed_at)
    shown = [state for state in states if everything or state.status not in FINAL]
    if json:
        print_json({"actions": shown, "hidden": len(states) - len(shown)})
        return
    if shown:
        out().print(_states(shown))
    if hidden := len(states) - len(shown):
        typer.echo(f"{hidden} have ended: --all shows them too")
    elif not shown:
        typer.echo("no action was ever proposed")


def approve(
    *,
    action: ActionId,
    by: By = None,
    reason: Reason = "",
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Let an action run; its budget is not asked, its conditions are."""
    _say(OrderVerdict.APPROVE, action, by=by, reason=reason, bootstrap=bootstrap, prefix=prefix, json=json)


def reject(
    *,
    action: ActionId,
    by: By = None,
    reason: Reason = "",
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Refuse an action that has not begun."""
    _say(OrderVerdict.REJECT, action, by=by, reason=reason, bootstrap=bootstrap, prefix=prefix, json=json)


def check(*, config: Config = Path("runbooks.toml"), json: Json = False) -> None:
    """Read the runbooks and show what they would do; does nothing."""
    plan = read_plan(config)
    if json:
        print_json([{"runbook": one.name, "mode": one.mode, "steps": _steps(one)} for one in plan.runbooks])
        return
    out().print(_runbooks(plan))
    for remark in _remarks(plan):
        typer.echo(f"note   {remark}")


def _say(
    verdict: OrderVerdict, beginning: str, *, by: str | None, reason: str, bootstrap: str, prefix: str, json: bool
) -> None:
    connection, topics = connection_to(bootstrap), Topics(prefix)
    require_topics(connection, topics, "actions")
    with followed(connection, topics) as situation:
        state = chosen(situation, beginning)
        who = by or getpass.getuser()
        order = ActionOrder(action_id=state.action_id, verdict=verdict, by=who, at=time.time(), reason=reason)
        give(connection, topics, order)
        deadline = time.monotonic() + _ANSWER
        while situation.actions[state.action_id].seq == state.seq and time.monotonic() < deadline:
            time.sleep(0.05)
        now = situation.actions[state.action_id]
    if json:
        print_json(now)
    elif now.seq == state.seq:
        typer.echo(f"{now.action_id}: said, but no executor has answered yet; see `snowshed actions list`")
    else:
        typer.echo(f"{now.action_id} {now.target}: {now.status.value}")


def _states(states: Sequence[ActionState]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("action", "state", "what", "runbook", "incident", "by", "because"):
        table.add_column(name, overflow="fold")
    for one in states:
        status = "waits for approval" if one.status is ActionStatus.PROPOSED else one.status.value
        table.add_row(one.action_id, status, one.target, one.runbook, one.incident_id, one.by, one.reason)
    return table


def _runbooks(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("runbook", "mode", "answers", "does", "at most"):
        table.add_column(name, overflow="fold")
    for one in plan.runbooks:
        table.add_row(one.name, one.mode.value, _answers(one), "; ".join(_steps(one)), _at_most(one))
    return table


def _answers(runbook: Runbook) -> str:
    match = runbook.match
    said = [
        " or ".join(sorted(kind.value for kind in match.kinds)) or "any incident",
        f"of {' or '.join(match.services)}" if match.services else "",
        f"judged {' or '.join(sorted(one.value for one in match.verdicts))}" if match.verdicts else "",
        f"at level {match.level} or more" if match.level else "",
        f"after {match.open_for:g} s" if match.open_for else "",
    ]
    return " ".join(filter(None, said))


def _steps(runbook: Runbook) -> list[str]:
    return [
        f"{step.kind.value} by {step.executor.name} ({step.guarantee.value.replace('_', ' ')}, {step.timeout:g} s)"
        for step in runbook.steps
    ]


def _at_most(runbook: Runbook) -> str:
    if runbook.mode is not ActionMode.AUTOMATIC:
        return "as a person allows" if runbook.mode is ActionMode.APPROVAL else "nothing"
    budget = runbook.budget
    return f"{budget.count} a service, {budget.total} in all, in {budget.per:.0f} s"


def _remarks(plan: Plan) -> list[str]:
    return [
        f"runbook {one.name} acts by itself while any number of nodes may be out: set conditions.max_unavailable"
        for one in plan.runbooks
        if one.mode is ActionMode.AUTOMATIC and one.conditions.max_unavailable is None
    ]


group: Mapping[str, Any] = MappingProxyType(
    {"list": list_actions, "approve": approve, "reject": reject, "run": run, "check": check}
)
"""The subcommands."""
