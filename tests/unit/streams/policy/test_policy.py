"""The policy reads nested tables and names the key that is wrong."""

from __future__ import annotations

import pytest

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import DecisionMode
from snowshed.streams.policy import Policy


def test_an_empty_mapping_gives_the_defaults() -> None:
    assert Policy.from_mapping({}) == Policy()


def test_tables_lists_enums_and_whole_numbers_are_read() -> None:
    policy = Policy.from_mapping(
        {
            "default_domain": "shop",
            "decisions": {"mode": "shadow", "ttl": 4},
            "overload": {"clean": [5, 6.5]},
            "services": {"checkout": {"domain": "money", "protected": True}},
            "datasets": {"orders": {"slo": 3, "objective": 0.95}, "carts": {"domain": "money"}},
        }
    )
    assert policy.decisions.mode is DecisionMode.SHADOW
    assert policy.decisions.ttl == 4.0
    assert policy.overload.clean == (5.0, 6.5)
    assert (policy.domain_of("checkout"), policy.domain_of("other")) == ("money", "shop")
    assert (policy.domain_of_dataset("carts"), policy.domain_of_dataset("orders")) == ("money", "shop")
    assert (policy.slo_of("orders"), policy.slo_of("carts")) == (3.0, policy.lag.slo)
    assert (policy.objective_of("orders"), policy.objective_of("carts")) == (0.95, policy.lag.objective)
    assert policy.objective_of("elsewhere") == policy.lag.objective
    assert policy.protects("checkout")
    assert not policy.protects("other")


@pytest.mark.parametrize(
    ("mapping", "key"),
    [
        ({"retries": {}}, r"policy\.retries is not a setting"),
        ({"retry": {"bugdet": 0.1}}, r"policy\.retry\.bugdet is not a setting: did you mean budget\?"),
        ({"retry": 3}, r"policy\.retry must be a table"),
        ({"retry": {"budget": "much"}}, r"policy\.retry\.budget must be a number"),
        ({"retry": {"budget": True}}, r"policy\.retry\.budget must be a number"),
        ({"retry": {"budget": -0.1}}, r"policy\.retry\.budget must be finite and not negative"),
        ({"retry": {"budget": float("nan")}}, r"policy\.retry\.budget must be finite"),
        ({"retry": {"attempt_cap": 2.5}}, r"policy\.retry\.attempt_cap must be a whole number"),
        ({"decisions": {"mode": "maybe"}}, r"policy\.decisions\.mode must be one of 'enforce', 'shadow'"),
        ({"overload": {"clean": 3}}, r"policy\.overload\.clean must be a list"),
        ({"overload": {"clean": [1, "x"]}}, r"policy\.overload\.clean\[1\] must be a number"),
        ({"services": {"a": {"protected": 1}}}, r"policy\.services\.a\.protected must be true or false"),
        ({"services": []}, r"policy\.services must be a table"),
        ({"default_domain": 7}, r"policy\.default_domain must be a string"),
    ],
)
def test_a_wrong_key_or_value_is_named_by_its_dotted_path(mapping: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        Policy.from_mapping(mapping)
