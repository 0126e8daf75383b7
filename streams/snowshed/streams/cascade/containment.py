"""What contains an overload: retries are cut first, then features by the degrade level, then calls."""

from __future__ import annotations

from collections.abc import Iterator

from snowshed.schemas.records import DecisionKind, ScopeKind
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.findings import Setting
from snowshed.streams.cascade.rules.retry_amplification import budget
from snowshed.streams.cascade.throttle import Throttle
from snowshed.streams.policy import Policy

__all__ = ["contained"]


def contained(board: Board, throttle: Throttle, policy: Policy) -> Iterator[Setting]:
    """The settings that a callee's control asks for now."""
    callee = throttle.callee
    reason = f"{callee} is overloaded"
    if throttle.programme is not None:
        reason = f"{callee} does not recover by itself, {throttle.programme.stage.value}"
    yield budget(board, callee, policy.retry, reason)
    if policy.protects(callee):
        return
    yield Setting(
        scope=callee,
        scope_kind=ScopeKind.SERVICE,
        kind=DecisionKind.DEGRADE,
        rule="degrade/1",
        reason=f"{reason}: degrade level {throttle.level}",
        degrade_level=throttle.level,
        features_off=policy.features_off(callee, throttle.level),
        timeout=throttle.timeout,
    )
    if throttle.p_reject > 0.0:
        yield _breaker(throttle)
    if not throttle.cuts:
        return
    if throttle.surges_above and throttle.programme is None:
        yield from _at_the_inlets(throttle, reason)
    if not throttle.surges_above or throttle.multiplier < 1.0:
        yield _rate(throttle, reason)


def _breaker(throttle: Throttle) -> Setting:
    scope = throttle.trigger or throttle.callee
    return Setting(
        scope=scope,
        scope_kind=ScopeKind.EDGE if ">" in scope else ScopeKind.SERVICE,
        kind=DecisionKind.BREAKER,
        rule="break/1",
        reason=f"a cascade began with {scope}, which is left {throttle.passing:.0%} of its calls",
        p_reject=throttle.p_reject,
    )


def _rate(throttle: Throttle, reason: str) -> Setting:
    cap = throttle.multiplier * throttle.usual_rate
    return Setting(
        scope=throttle.callee,
        scope_kind=ScopeKind.SERVICE,
        kind=DecisionKind.RATE,
        rule="cut-rate/1",
        reason=f"{reason}: {_portion(throttle)}",
        # What is no share of a known rate is no share of a process's own either: it gets its part of the whole.
        rate_multiplier=throttle.multiplier if throttle.usual_known else None,
        absolute_cap=cap,
        per_instance_fallback=cap / max(throttle.reporters, 1.0),
    )


def _at_the_inlets(throttle: Throttle, reason: str) -> Iterator[Setting]:
    share = throttle.inlets_share
    for one in throttle.inlets:
        cap = share * one.usual
        yield Setting(
            scope=one.service,
            scope_kind=ScopeKind.SERVICE,
            kind=DecisionKind.RATE,
            rule="cut-surge/1",
            reason=f"{reason} by a surge of {one.service}, which is let {share:.0%} of its usual {one.usual:.0f} "
            "requests a second",
            rate_multiplier=share,
            absolute_cap=cap,
            per_instance_fallback=cap / max(one.enforcers, 1.0),
        )


def _portion(throttle: Throttle) -> str:
    if not throttle.usual_known:
        return f"{throttle.multiplier * throttle.usual_rate:.0f} requests a second, for what is usual is not known yet"
    return f"{throttle.multiplier:.0%} of its usual {throttle.usual_rate:.0f} requests a second"
