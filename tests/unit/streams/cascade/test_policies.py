"""A change of the policy on the observations: it holds from its place on, and an older one is refused."""

from __future__ import annotations

import pytest
from tests.unit.streams.cascade.domain_script import Domain, lag

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Decision, LagStatus, PolicyChange
from snowshed.streams.cascade import DomainFold
from snowshed.streams.cascade.policies import PolicyRefused
from snowshed.streams.folding import Message
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


def test_a_change_in_the_middle_of_a_batch_holds_for_the_rest_of_it() -> None:
    domain = Domain()
    text = "[decisions]\ndetector_lag = 0.5\n"
    domain.step(0, lag(0, "r1", LagStatus.FRESH), change(1, text), lag(0, "r1", LagStatus.BEHIND, 5.0, 6.0))
    domain.step(1, lag(1, "r1", LagStatus.BEHIND, 5.0, 6.0), detector_lag=1.0)
    assert decided(domain) == [(0, True)]


def test_a_repeated_change_changes_nothing_and_an_older_one_or_another_of_its_number_is_refused() -> None:
    domain = Domain()
    domain.step(0, change(2))
    held = domain.state["policy"]
    domain.step(1, change(2))
    assert domain.state["policy"] is held
    for refused in (change(1), change(2, "")):
        with pytest.raises(PolicyRefused, match=f"revision {refused.revision} .* is not newer than revision 2"):
            domain.step(2, refused)
    assert domain.state["policy"] is held


def test_a_pinned_fold_passes_changes_over() -> None:
    domain = Domain()
    domain.fold = DomainFold(Policy(), pinned=True)
    domain.step(0, change(1), lag(0, "r1", LagStatus.BEHIND, 5.0, 6.0))
    assert decided(domain) == [(0, True)]
    assert "policy" not in domain.state


@pytest.mark.parametrize(
    ("text", "fingerprint", "reason"),
    [
        ("[retyr]", "", r"policy\.retyr is not a setting: did you mean retry"),
        ("[retry", "", "is not valid TOML"),
        ("", "000000000000", "000000000000 was announced and .* is read here"),
    ],
)
def test_a_change_that_cannot_be_read_is_rejected_with_its_reason(text: str, fingerprint: str, reason: str) -> None:
    unread = PolicyChange(domain="d", revision=1, fingerprint=fingerprint, text=text, changed_at=0.0)
    decoded = DomainFold(Policy()).decode([Message(3, 0.0, b"d", Codec().encode(unread))])
    [reject] = decoded.rejects
    assert decoded.records == ()
    with pytest.raises(type(reject.error), match=reason):
        raise reject.error


def test_what_a_later_release_set_and_this_one_does_not_know_stays_at_its_default() -> None:
    policy = salvaged("[retry]\nact = 9\nof_tomorrow = 3\n")
    assert policy.retry.act == 9.0
    assert policy.overload == Policy().overload
