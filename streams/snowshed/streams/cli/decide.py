"""`snowshed decide`: an operator's own decisions, which hold against those of level 2."""

from __future__ import annotations

import getpass
import time
from dataclasses import replace
from enum import Enum
from typing import Annotated
from uuid import uuid4

import typer

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Decision, DecisionKind, OperatorAction, OperatorOrder
from snowshed.schemas.topics import Topics
from snowshed.streams.cli.console import print_json
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix, connection_to
from snowshed.streams.cli.reaching import require_topics
from snowshed.streams.cli.world import followed
from snowshed.streams.control.ordering import Wanted, made
from snowshed.streams.order_log import send_order
from snowshed.streams.web import scopes

__all__ = ["group"]


class Actuator(Enum):
    """What an order can be about."""

    RATE = DecisionKind.RATE.value
    RETRY = DecisionKind.RETRY.value
    BREAKER = DecisionKind.BREAKER.value
    DEGRADE = DecisionKind.DEGRADE.value
    CONSISTENCY = DecisionKind.CONSISTENCY.value


Scope = Annotated[str, typer.Argument(metavar="SCOPE", help="A service, caller>callee or a dataset.")]
Reason = Annotated[str, typer.Option(help="Why, for whoever sees it at night.", show_default=False)]
By = Annotated[str, typer.Option("--by", help="Who orders it (default: the user).", show_default=False)]
Ttl = Annotated[
    float | None, typer.Option(help="Seconds that it holds (default: until it is released).", show_default=False)
]
Kind = Annotated[
    Actuator | None, typer.Option("--kind", help="Only this actuator (default: all of the scope).", show_default=False)
]
Domain = Annotated[str, typer.Option(help="Domain of a scope that has not reported yet.", show_default=False)]


def pin(
    *,
    scope: Scope,
    kind: Annotated[Actuator, typer.Argument(metavar="KIND", help="rate, retry, breaker or degrade.")],
    value: Annotated[float, typer.Argument(metavar="VALUE", help="Share from 0 to 1, or a degrade level.")],
    reason: Reason,
    by: By = "",
    ttl: Ttl = None,
    domain: Domain = "",
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Set one actuator to a value, whatever level 2 would decide.

    rate: share of the rate from before the incident; retry: retries a first attempt; breaker: share of calls refused.
    """
    wanted = _wanted(OperatorAction.PIN, scope, kind, why=(by, reason), domain=domain)
    _give(_with(wanted, value, ttl), bootstrap, prefix, json=json)


def level(
    *,
    scope: Scope,
    value: Annotated[int, typer.Argument(metavar="LEVEL", help="0 (normal) to 4.")],
    reason: Reason,
    by: By = "",
    ttl: Ttl = None,
    domain: Domain = "",
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Set a service's degrade level, as `pin SCOPE degrade LEVEL` does."""
    wanted = _wanted(OperatorAction.PIN, scope, Actuator.DEGRADE, why=(by, reason), domain=domain)
    _give(_with(wanted, float(value), ttl), bootstrap, prefix, json=json)


def veto(
    *,
    scope: Scope,
    reason: Reason,
    kind: Kind = None,
    by: By = "",
    ttl: Ttl = None,
    domain: Domain = "",
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Let level 2 decide nothing: what is in force is lifted."""
    wanted = _wanted(OperatorAction.VETO, scope, kind, why=(by, reason), domain=domain)
    _give(_with(wanted, None, ttl), bootstrap, prefix, json=json)


def freeze(
    *,
    scope: Scope,
    reason: Reason,
    kind: Kind = None,
    by: By = "",
    ttl: Ttl = None,
    domain: Domain = "",
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Keep what is in force as it is, and let level 2 decide nothing else."""
    wanted = _wanted(OperatorAction.FREEZE, scope, kind, why=(by, reason), domain=domain)
    _give(_with(wanted, None, ttl), bootstrap, prefix, json=json)


def release(
    *,
    scope: Scope,
    reason: Reason,
    kind: Kind = None,
    by: By = "",
    domain: Domain = "",
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Let level 2 decide again."""
    _give(_wanted(OperatorAction.RELEASE, scope, kind, why=(by, reason), domain=domain), bootstrap, prefix, json=json)


group = {"pin": pin, "level": level, "veto": veto, "freeze": freeze, "release": release}
"""The subcommands."""


def _wanted(action: OperatorAction, scope: str, kind: Actuator | None, *, why: tuple[str, str], domain: str) -> Wanted:
    by, reason = why
    return Wanted(
        scope=scope,
        action=action.value,
        actuator=kind.value if kind else "",
        author=by or getpass.getuser(),
        reason=reason,
        domain=domain,
    )


def _with(wanted: Wanted, value: float | None, ttl: float | None) -> Wanted:
    return replace(wanted, value=value, ttl=ttl)


def _give(wanted: Wanted, bootstrap: str, prefix: str, *, json: bool) -> None:
    connection, topics = connection_to(bootstrap), Topics(prefix)
    require_topics(connection, topics, "observations")
    with followed(bootstrap, prefix) as world:
        view = world.view()
    order = made(wanted, scopes(view), order_id=uuid4().hex, now=time.time())
    if order.action is OperatorAction.RELEASE and not any(_is_held(one, order) for one in view.of(Decision)):
        raise ConfigurationError(
            f"no order holds for {order.actuator or 'anything'} of {order.scope!r}; see `snowshed watch`"
        )
    partition, offset = send_order(connection, topics, order, Codec())
    if json:
        print_json({"order": order, "partition": partition, "offset": offset})
    else:
        typer.echo(_said(order, f"{topics.full('observations')}[{partition}]@{offset}"))


def _is_held(decision: Decision, order: OperatorOrder) -> bool:
    same = decision.scope == order.scope and order.actuator in {"", decision.kind.value}
    return same and bool(decision.order_id)


def _said(order: OperatorOrder, place: str) -> str:
    what = f"{order.action.value} {order.actuator or 'all'} of {order.scope}"
    ends = "" if order.action is OperatorAction.RELEASE else ", until released"
    if order.ttl is not None:
        ends = f", for {order.ttl:g} s"
    return f"ordered at {place}: {what}{ends}; `snowshed watch` shows what is in force"
