"""What is typed to have MySQL, Redis, groups, ZooKeeper, etcd and KRaft watched, and what is said of it."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from snowshed.producers.agent import AgentSettings
from snowshed.producers.collectors.address import Address
from snowshed.producers.collectors.etcd import Etcd, EtcdTarget
from snowshed.producers.collectors.kafka_groups import GroupTarget
from snowshed.producers.collectors.kraft import KRaftTarget
from snowshed.producers.collectors.mysql import mysql_collectors
from snowshed.producers.collectors.redis import redis_collectors
from snowshed.producers.collectors.redis.replica_key import applied, link
from snowshed.producers.collectors.servers import RowPeriods, Servers
from snowshed.producers.collectors.zookeeper import ZooKeeperTarget
from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.cli.app import build_app

_URL = "mysql://agent:XY%2Cr2%3Dsecret@db1:3306/?ssl_ca=/etc/ca.pem"


def test_a_dataset_and_its_replicas_are_read_from_one_line() -> None:
    servers = Servers.parse(f"orders={_URL},r1=redis://db2:6379/1, r2=mysql://db3")
    assert servers == Servers("orders", _URL, {"r1": "redis://db2:6379/1", "r2": "mysql://db3"})
    assert "secret" not in repr(servers)


@pytest.mark.parametrize("text", ["", "orders", "orders=", _URL, f"or ders={_URL}", f"o={_URL},r={_URL},r={_URL}"])
def test_a_malformed_line_is_refused_without_showing_its_password(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Servers.parse(text)
    assert "secret" not in str(refused.value)


def test_a_name_must_not_stand_for_two_servers() -> None:
    with pytest.raises(ConfigurationError, match="both the source and a replica"):
        Servers("orders", _URL, {"primary": _URL})


def _address(text: str) -> Address:
    return Address.parse("orders/r1", text, ("mysql",), frozenset({"ssl_ca"}))


def test_an_address_is_read_and_shown_without_its_password() -> None:
    address = _address(_URL)
    assert (address.user, address.password, address.host, address.port) == ("agent", "XY,r2=secret", "db1", 3306)
    assert address.options == {"ssl_ca": "/etc/ca.pem"}
    assert str(address) == "agent@db1:3306"
    assert "secret" not in repr(address)
    assert address.hidden("denied XY,r2=secret") == "denied ***"
    assert str(_address("mysql://")) == "localhost"


@pytest.mark.parametrize(
    "text",
    [
        "mysql://agent:12/secretZ@h",
        "mysql://agent:12?secretZ@h",
        "mysql://agent:12#secretZ@h",
        "mysql://h:secretZ",
        "redis://agent:secretZ@h",
        "secretZ",
        "mysql://agent@h?secretZ=1",
        "mysql://agent@h secretZ",
    ],
)
def test_an_unreadable_address_is_refused_by_its_owners_name_alone(text: str) -> None:
    with pytest.raises(ConfigurationError, match="orders/r1") as refused:
        _address(text)
    assert "secretZ" not in str(refused.value)


def test_collectors_are_named_for_what_they_ask() -> None:
    mysql = mysql_collectors(
        Servers.parse("o=mysql://a,r1=mysql://b"), writer="w", periods=RowPeriods(), statement_limit=50
    )
    redis = redis_collectors(Servers.parse("c=redis://a,r1=rediss://b"), writer="w", periods=RowPeriods())
    assert [(collector.name, collector.period) for collector in (*mysql, *redis)] == [
        ("mysql heartbeat row of o", 0.5),
        ("mysql statements of o", 1.0),
        ("mysql replica o/r1", 0.25),
        ("mysql applier o/r1", 5.0),
        ("redis heartbeat key of c", 0.5),
        ("redis replica c/r1", 0.25),
    ]


def test_a_redis_database_is_a_number() -> None:
    with pytest.raises(ConfigurationError, match="number of a database"):
        redis_collectors(Servers.parse("c=redis://a/shop"), writer="w", periods=RowPeriods())


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), 1e9])
def test_a_period_must_be_possible(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="row="):
        RowPeriods(row=seconds)


def test_a_group_and_an_ensemble_are_read_from_one_line_each() -> None:
    assert GroupTarget.parse("work=a:b:t1, t2") == GroupTarget("work", "a:b", ("t1", "t2"))
    assert ZooKeeperTarget.parse("zk=z1:2181,[::1]:2181") == ZooKeeperTarget("zk", ("z1:2181", "[::1]:2181"))
    assert KRaftTarget.parse("kafka=k1:9092, k2:9092") == KRaftTarget("kafka", ("k1:9092", "k2:9092"))


@pytest.mark.parametrize("text", ["work", "work=g", "work=:t", "work=g:", "=g:t"])
def test_a_group_without_its_topics_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        GroupTarget.parse(text)


@pytest.mark.parametrize("text", ["zk", "zk=", "zk=z1", "zk=z1:2181,z1:2181", "z k=z1:2181", "zk=z1:port"])
def test_an_ensemble_and_a_cluster_name_each_server_once(text: str) -> None:
    with pytest.raises(ConfigurationError):
        ZooKeeperTarget.parse(text)
    with pytest.raises(ConfigurationError):
        KRaftTarget.parse(text)


def test_an_etcd_cluster_names_each_member_once_and_its_files_for_tls() -> None:
    target = EtcdTarget.parse("kv=https://e1:2379?cacert=/ca.pem, http://e2")
    assert target.members == ("https://e1:2379?cacert=/ca.pem", "http://e2")
    assert [str(address) for address in target.addresses] == ["e1:2379", "e2"]
    with pytest.raises(ConfigurationError, match="cacert, cert or key"):
        Etcd(EtcdTarget("kv", ("https://e1?cacert=/nowhere/ca.pem",)))


@pytest.mark.parametrize(
    "text", ["kv", "kv=", "kv=e1:2379", "kv=http://e1,http://e1", "k v=http://e1", "kv=http://e1?a=1"]
)
def test_an_etcd_cluster_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        EtcdTarget.parse(text)


def test_everything_may_stand_in_the_environment_and_no_name_twice() -> None:
    environ = {
        "SNOWSHED_BOOTSTRAP": "localhost:9092",
        "SNOWSHED_MYSQL": "o=mysql://a,r1=mysql://b; p=mysql://c",
        "SNOWSHED_REDIS": "c=redis://a",
        "SNOWSHED_KAFKA_GROUPS": "w=g:t",
        "SNOWSHED_ZOOKEEPER": "zk=z1:2181",
        "SNOWSHED_ETCD": "kv=http://e1:2379",
        "SNOWSHED_KRAFT_QUORUMS": "kafka=k1:9092,k2:9092",
    }
    assert AgentSettings.from_env(environ).datasets == ("o", "p", "c", "w", "zk", "kv", "kafka")
    with pytest.raises(ConfigurationError, match="'o' is given twice"):
        AgentSettings.from_env({**environ, "SNOWSHED_REDIS": "o=redis://a"})


@pytest.mark.parametrize("option", ["--mysql", "--redis", "--kafka-group", "--zookeeper", "--etcd", "--kraft-quorum"])
def test_an_option_that_cannot_be_read_ends_the_command_before_anything_runs(option: str) -> None:
    words = ["agent", option, "no name"]
    result = CliRunner().invoke(build_app(words), words)
    assert result.exit_code != 0
    assert "name" in result.output


def test_redis_tells_its_link_and_how_far_it_has_come_by_its_role() -> None:
    replica = {"role": "slave", "master_link_status": "down", "slave_repl_offset": 90, "master_repl_offset": 90}
    assert (link(replica), applied(replica)) == ("down", 90.0)
    source = {"role": "master", "master_repl_offset": 120}
    assert (link(source), applied(source)) == ("none", 120.0)
