"""Guarded tasks in a real worker over Celery's broker in memory."""

# Celery is not marked as typed.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator
from typing import Any

import pytest
from celery import Celery, signals
from celery.contrib.testing.worker import start_worker
from celery.exceptions import SoftTimeLimitExceeded, TaskRevokedError

from snowshed.consumers import Brake, Guard, Outcome
from snowshed.consumers.integrations.celery import guarded_task, propagate
from snowshed.consumers.testing import decision, set_decisions
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import CallContext, attempt, call_context, use_context
from snowshed.schemas.records import DecisionKind

_BROKEN = decision("orders", DecisionKind.BREAKER, p_reject=1.0)


class _Shop:
    """An application whose tasks tell what they know of the call."""

    def __init__(self) -> None:
        self.guard = Guard("orders", rng=lambda: 0.0)
        self.app: Any = Celery(
            "shop", broker="memory://", backend="cache+memory://", task_cls=guarded_task(self.guard, exempt=["exempt"])
        )
        self.before = self.guard.stats
        self.said: Any = self.app.task(_said, name="said")
        self.exempt: Any = self.app.task(_said, name="exempt")
        self.fails: Any = self.app.task(_fails, name="fails")
        self.late: Any = self.app.task(_late, name="late")
        self.retried: Any = self.app.task(_retried, name="retried", bind=True, max_retries=2)

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """What this test has added."""
        return dict(Counter(self.guard.stats.outcomes) - Counter(self.before.outcomes))


def _said(word: str = "") -> str:
    context = call_context()
    return f"{context.caller} {context.attempt} {word}".strip()


def _fails() -> None:
    raise ZeroDivisionError


def _late() -> None:
    raise SoftTimeLimitExceeded


def _retried(task: Any) -> str:
    if task.request.retries < 2:
        raise task.retry(countdown=0)
    return _said()


@pytest.fixture(scope="module")
def working() -> Generator[_Shop]:
    """One worker for all tests, because it takes seconds to end."""
    shop = _Shop()
    worker: Any = start_worker(shop.app, perform_ping_check=False, shutdown_timeout=30)
    with worker:
        yield shop
    shop.app.close()


@pytest.fixture
def shop(working: _Shop) -> Generator[_Shop]:
    propagate(caller="web")
    working.before = working.guard.stats
    yield working
    signals.before_task_publish.disconnect(dispatch_uid="snowshed-propagation")


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_refused_task_comes_again_when_it_may_and_costs_none_of_its_retries(shop: _Shop) -> None:
    with set_decisions(shop.guard, _BROKEN):
        result = shop.said.apply_async(("later",), max_retries=0)
        _eventually(lambda: shop.guard.stats.rejected.get(Brake.BREAKER, 0) >= 2)
        assert result.state == "RETRY"
    assert result.get(timeout=30) == "web 0 later"
    assert shop.outcomes == {Outcome.SUCCEEDED: 1}


def test_the_context_travels_with_a_task_and_its_own_retries_count_as_attempts(shop: _Shop) -> None:
    with attempt(1):
        assert shop.said.delay().get(timeout=30) == "web 1"
        assert shop.retried.delay().get(timeout=30) == "web 3"


def test_an_exception_decides_the_outcome(shop: _Shop) -> None:
    with pytest.raises(ZeroDivisionError):
        shop.fails.delay().get(timeout=30)
    with pytest.raises(SoftTimeLimitExceeded):
        shop.late.delay().get(timeout=30)
    assert shop.outcomes == {Outcome.IGNORED: 1, Outcome.DROPPED: 1}


def test_exempt_tasks_are_never_refused_and_plain_calls_not_guarded(shop: _Shop) -> None:
    with set_decisions(shop.guard, _BROKEN):
        assert shop.exempt.delay().get(timeout=30) == "web 0"
        assert shop.said("called") == "0 called"
    assert shop.outcomes == {Outcome.SUCCEEDED: 1}


def test_in_eager_mode_a_refusal_is_raised() -> None:
    shop = _Shop()
    with set_decisions(shop.guard, _BROKEN), pytest.raises(Rejected, match="orders"):
        shop.said.apply(throw=True)
    shop.app.close()


def test_a_task_whose_deadline_has_passed_is_revoked_once_with_the_reason(shop: _Shop) -> None:
    revoked: list[Any] = []

    def hear(sender: Any, expired: bool, **_: Any) -> None:
        revoked.append((sender.name, expired))

    signals.task_revoked.connect(hear)
    try:
        with use_context(CallContext(deadline=time.monotonic() - 1.0)):
            result = shop.said.delay("late")
        with pytest.raises(TaskRevokedError, match="0 ms are left"):
            result.get(timeout=30)
    finally:
        signals.task_revoked.disconnect(hear)
    assert result.state == "REVOKED"
    assert revoked == [("said", True)]
    assert shop.said.delay("next").get(timeout=30) == "web 0 next"
    assert shop.guard.stats.rejected[Brake.DEADLINE] == shop.before.rejected.get(Brake.DEADLINE, 0) + 1
    assert shop.outcomes == {Outcome.SUCCEEDED: 1}
