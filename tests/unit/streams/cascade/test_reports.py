"""Services are reported while nothing is wrong, with how vulnerable they are."""

from __future__ import annotations

from math import isnan

import pytest
from tests.unit.streams.cascade.domain_script import QUEUEING, RETRYING, Domain, edges

from snowshed.schemas.records import ServiceStatus
from snowshed.streams.policy import Policy, ServicePolicy


def test_a_service_is_reported_at_once_and_then_every_five_seconds_while_it_is_called() -> None:
    domain = Domain()
    for at in range(12):
        domain.step(at, edges(at))
    for at in range(12, 40):
        domain.step(at)
    assert [at for at, _ in domain.reports] == [0, 5, 10, 15]


def test_vulnerability_is_told_before_anything_has_happened() -> None:
    domain = Domain(Policy(services={"api": ServicePolicy(capacity=160.0, retries=2.0)}))
    for at in range(16):
        domain.step(at, edges(at))
    _, report = domain.reports[-1]
    assert report.status is ServiceStatus.STABLE
    assert report.vulnerability_low == report.vulnerability_high == pytest.approx(100 / 160 * 3)
    assert report.vulnerability_method == "capacity as configured"


def test_nothing_is_claimed_of_a_service_that_nothing_is_known_of() -> None:
    domain = Domain()
    domain.step(0, edges(0))
    _, report = domain.reports[0]
    assert isnan(report.demand)
    assert isnan(report.vulnerability_high)


def test_a_verdict_that_changes_is_told_at_once() -> None:
    domain = Domain()
    for at in range(14):
        domain.step(at, edges(at, {"completions": 100.0}))
    domain.step(14, edges(14, {**QUEUEING, **RETRYING, "completions": 20.0}))
    assert (domain.reports[-1][0], domain.reports[-1][1].status) == (14, ServiceStatus.TRIGGERED)
