"""A policy's text: every mistake at once, each with its place and what was meant."""

from __future__ import annotations

import pytest

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.toml_positions import Position
from snowshed.streams.policy import Declared, Policy, PolicyError, fingerprint, parsed

_GOOD = """
version = 1
default_domain = "shop"

[retry]
budget = 0.1  # a comment with = and [brackets]

[services.ledger-db]
criticality = "critical_plus"
consistency = "cp"

[datasets.ledger]
service = "ledger-db"
quorum = "ledger-etcd"
on_lost_control = "fence"
lease = 5
fencing_token = true
places = { r1 = "db-1", "r.2" = "db-2" }

[datasets."carts.eu"]
consistency = "ap"
bound = 5
beyond = "serve_marked"

[quorums.ledger-etcd]
voters = [
  "a",  # first
  "b", "c",
]
"""


def _problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parsed(text, "p.toml")
    return str(caught.value).splitlines()


def test_a_whole_policy_is_read_with_what_services_and_datasets_declare() -> None:
    document = parsed(_GOOD)
    policy = document.policy
    assert policy.consistency_of("ledger") == (Declared.CP, None)
    assert policy.consistency_of("carts.eu") == (Declared.AP, 5.0)
    assert policy.consistency_of("other") == (None, None)
    assert policy.quorums["ledger-etcd"].voters == ("a", "b", "c")
    assert policy.protects("ledger-db")
    assert document.places["datasets", "carts.eu", "bound"] == Position(22, 1)
    assert document.places["quorums", "ledger-etcd", "voters", "[2]"] == Position(28, 8)


def test_all_mistakes_are_told_at_once_each_with_line_and_column() -> None:
    text = '[retry]\nbugdet = 0.1\n\n[overload]\nclean = [1,\n  "x"]\n[decisions]\n  mode = "enforced"\n'
    assert _problems(text) == [
        "p.toml:2:1: policy.retry.bugdet is not a setting: did you mean budget?",
        "p.toml:6:3: policy.overload.clean[1] must be a number, not 'x'",
        "p.toml:8:3: policy.decisions.mode must be one of 'enforce', 'shadow', not 'enforced': did you mean enforce?",
    ]


def test_a_key_of_an_inline_table_and_a_dotted_key_have_their_own_places() -> None:
    assert _problems('services = { a = { domian = "x" } }\nretry.budget = "much"\n') == [
        "p.toml:1:20: policy.services.a.domian is not a setting: did you mean domain?",
        "p.toml:2:7: policy.retry.budget must be a number, not 'much'",
    ]


def test_what_is_missing_is_told_at_the_table_that_lacks_it() -> None:
    [line] = _problems('[datasets.carts]\nconsistency = "ap"\n')
    assert line.startswith("p.toml:1:11: policy.datasets.carts.bound is missing")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("version = 2", r"1:1: policy\.version must be 1, not 2"),
        (
            "[datasets.a]\nobjective = 1",
            r"2:1: policy\.datasets\.a\.objective must lie between 0 and 1, not 1: .* no error",
        ),
        ("[lag]\nrefresh = 1\nobjective = 0", r"3:1: policy\.lag\.objective must lie between 0 and 1, not 0"),
        ("[datasets.a]\nbound = 3", r"2:1: policy\.datasets\.a\.bound is stated without consistency"),
        ('[datasets.a]\nbeyond = "serve_marked"', r'goes with consistency = "ap" only'),
        ('[datasets.a]\nconsistency = "cp"', r'consistency needs \[quorums\."a"\] with its voters'),
        ('[datasets.a]\nconsistency = "cp"\n[quorums.a]', r"quorums\.a\.voters must name the voting members"),
        (
            '[datasets.a]\nconsistency = "cp"\nquorum = "ectd"\n[quorums.etcd]\nvoters = ["x"]',
            r'quorum needs \[quorums\."ectd"\].*: did you mean etcd\?',
        ),
        ('[quorums.a]\nvoters = ["x", "x"]', r"must not name a member twice"),
        ('[datasets.a]\non_lost_control = "fence"\nlease = 1', r'may be "fence" only where consistency = "cp"'),
        ("[datasets.a]\nlease = 1", r'lease goes with on_lost_control = "fence" only'),
        (
            '[datasets.a]\nconsistency = "cp"\non_lost_control = "fence"\n[quorums.a]\nvoters = ["x"]',
            r"(?s)lease is missing.*only with fencing_token = true",
        ),
        ('[services.ledger]\n[datasets.a]\nservice = "leger"', r"names 'leger', .*\[services\]: did you mean ledger\?"),
        ('[services.db]\nconsistency = "ap"', r"policy\.services\.db\.bound is missing"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(text: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        parsed(text)


def test_a_text_that_is_no_toml_says_where() -> None:
    with pytest.raises(ConfigurationError, match=r"p\.toml is not valid TOML: .*line 2"):
        parsed("[retry]\nbudget = \n", "p.toml")


def test_the_fingerprint_depends_on_what_is_set_and_on_nothing_else() -> None:
    a = parsed("[retry]\nbudget = 0.1\nact = 2.5 # why\n")
    b = parsed("[retry]\nact = 2.5\nbudget = 0.10\n")
    assert a.fingerprint == b.fingerprint == fingerprint(a.policy)
    assert a.fingerprint != fingerprint(Policy())
    assert parsed("version = 1").fingerprint == fingerprint(Policy())
