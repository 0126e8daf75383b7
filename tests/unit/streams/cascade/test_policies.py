"""A change of the policy on the observations: decisions obey it from its place on."""

from __future__ import annotations

from tests.unit.streams.cascade.domain_script import Domain, lag

from snowshed.schemas.records import Decision, LagStatus, PolicyChange
from snowshed.streams.policy import Policy, parsed, salvaged

_SPARED = "[datasets.orders]\nprotected = true\n"


def change(revision: int, text: str = _SPARED) -> PolicyChange:
    return PolicyChange(
        domain="default", revision=revision, fingerprint=parsed(text).fingerprint, text=text, changed_at=0.0
    )


def decided(domain: Domain) -> list[tuple[float, bool]]:
    return [(at, decision.active) for at, decision in domain.all(Decision)]


def test_decisions_after_a_change_obey_it_and_those_it_forbids_are_taken_back_at_once() -> None:
    domain = Domain(round_trip=True)
    domain.step(0, lag(0, "r1", LagStatus.BEHIND, 5.0, 6.0))
    domain.step(1, change(1))
    domain.step(2, lag(2, "r1", LagStatus.BEHIND, 7.0, 8.0))
    domain.step(3, change(2, ""))
    assert decided(domain) == [(0, True), (1, False), (3, True)]


def test_what_a_later_release_set_and_this_one_does_not_know_stays_at_its_default() -> None:
    policy = salvaged("[retry]\nact = 9\nof_tomorrow = 3\n")
    assert policy.retry.act == 9.0
    assert policy.overload == Policy().overload
