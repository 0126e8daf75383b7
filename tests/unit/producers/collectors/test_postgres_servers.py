from __future__ import annotations

import pytest

from snowshed.producers.collectors.postgres import PostgresPeriods, postgres_collectors
from snowshed.producers.collectors.servers import Servers
from snowshed.schemas.errors import ConfigurationError

_URI = "postgresql://agent:XYsecretZ@db1:5432,db2/shop?target_session_attrs=read-write"
_WORDS = "host=db1,db2 port=5432 dbname=shop password=XYsecretZ"


@pytest.mark.parametrize("primary", [_URI, _WORDS])
@pytest.mark.parametrize("replica", [_URI, _WORDS])
def test_a_target_is_read_from_a_command_line_whatever_commas_its_addresses_have(primary: str, replica: str) -> None:
    target = Servers.parse(f"orders={primary},r1={replica}, r2={replica}")
    assert target == Servers("orders", primary, {"r1": replica, "r2": replica})


def test_a_target_without_replicas_is_one_server() -> None:
    assert Servers.parse(f"orders={_URI}") == Servers("orders", _URI)


@pytest.mark.parametrize(
    "text", ["", "orders", "orders=", _URI, "or ders=host=h", f"=,{_URI}", f"orders={_URI},r1={_URI},r1={_URI}"]
)
def test_a_malformed_target_is_refused_without_showing_its_password(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Servers.parse(text)
    assert "secret" not in str(refused.value)


def test_collectors_of_a_target_are_named_for_what_they_ask() -> None:
    collectors = postgres_collectors(
        Servers("orders", _URI, {"r1": _WORDS}), writer="host@a", periods=PostgresPeriods(), statement_limit=50
    )
    assert [collector.name for collector in collectors] == [
        "postgres heartbeat row of orders",
        "postgres statements of orders",
        "postgres standbys of orders",
        "postgres replica orders/r1",
    ]
    assert [collector.period for collector in collectors] == [0.5, 1.0, 5.0, 0.25]


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://agent:XYsecretZ@h:XYsecretZ/shop",
        "postgresql://agent:XY@secretZ@h/shop",
        "postgresql://agent:12/secretZ@h/shop",
        "host=h password=XY secretZ",
        "XYsecretZ",
        "XYsecretZ=1",
    ],
)
def test_an_unreadable_address_is_refused_by_its_owners_name_alone(dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="orders/primary") as refused:
        postgres_collectors(Servers("orders", dsn), writer="host@a", periods=PostgresPeriods(), statement_limit=50)
    assert "secretZ" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), 1e9])
def test_a_period_must_be_possible(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="row="):
        PostgresPeriods(row=seconds)
