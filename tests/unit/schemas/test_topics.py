"""The topic catalogue, and where a key lands."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas import CATALOGUE, ConfigurationError, JournalEntry, Record, Topics, TopicSpec, partition_for
from snowshed.schemas._murmur2 import murmur2
from snowshed.schemas.topics import AGENTS

_NAMES = [spec.name for spec in CATALOGUE]


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_gives_the_values_of_kafkas_own_test(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed % 2**32
    assert partition_for(key, 1000) == (signed & 0x7FFFFFFF) % 1000


@given(st.binary(max_size=60), st.integers(1, 100))
def test_a_key_lands_on_a_partition_there_is(key: bytes, partitions: int) -> None:
    assert 0 <= partition_for(key, partitions) < partitions


def test_names_are_unique() -> None:
    assert len(set(_NAMES)) == len(_NAMES)


def test_every_record_has_a_topic() -> None:
    assert {record for spec in CATALOGUE for record in spec.records} == set(get_args(Record))


@pytest.mark.parametrize("name", _NAMES)
def test_a_full_name_leads_back_to_the_short_one(name: str) -> None:
    topics = Topics("acme.eu")
    assert topics.full(name) == f"acme.eu.{name}"
    assert topics.short(topics.full(name)) == name


@pytest.mark.parametrize("name", ["other.heartbeats", "snowshed.nothing", "heartbeats", "x.snowshed.lag", ""])
def test_a_name_that_is_no_topic_of_this_installation_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="not one of Snowshed's topics"):
        Topics().short(name)


def test_an_unknown_topic_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"no topic 'beats'; there are heartbeats, "):
        Topics().full("beats")


@pytest.mark.parametrize(
    "topics", [Topics(), Topics(partitions=3), Topics(partitions={"timings": 5, "observations": 2})]
)
@pytest.mark.parametrize(("agent", "source"), AGENTS.items())
def test_what_an_agent_writes_of_itself_has_as_many_partitions_as_its_input(
    topics: Topics, agent: str, source: str
) -> None:
    assert topics.partitions(f"journal.{agent}") == topics.partitions(source)
    assert topics.partitions(f"state.{agent}") == topics.partitions(source)
    assert topics.partitions(f"checkpoint.{agent}") == topics.partitions(source)


def test_partition_counts_can_be_set_for_all_topics_or_one_by_one() -> None:
    assert Topics().partitions("heartbeats") == 8
    assert Topics(partitions=2).partitions("heartbeats") == 2
    assert Topics(partitions={"lag": 3}).partitions("lag") == 3
    assert Topics(partitions={"lag": 3}).partitions("health") == 8


@pytest.mark.parametrize("partitions", [0, -1, {"lag": 0}])
def test_a_topic_needs_a_partition(partitions: int | dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="at least 1 partition"):
        Topics(partitions=partitions)


def test_the_partitions_of_a_state_are_set_at_its_input() -> None:
    with pytest.raises(ConfigurationError, match="as many partitions as 'observations'"):
        Topics(partitions={"state.domain": 4})


@pytest.mark.parametrize("prefix", ["", "with space", "a/b", "x" * 201])
def test_a_prefix_kafka_would_refuse_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="topic prefix"):
        Topics(prefix)


def test_exactly_the_inputs_are_stamped_by_the_broker() -> None:
    stamped = {name for name in _NAMES if Topics().config(name)["message.timestamp.type"] == "LogAppendTime"}
    assert stamped == set(AGENTS.values())


def _compacted(spec: TopicSpec) -> bool:
    return "compact" in Topics().config(spec.name)["cleanup.policy"].split(",")


@pytest.mark.parametrize("spec", CATALOGUE, ids=_NAMES)
def test_records_either_expire_or_are_compacted_soon(spec: TopicSpec) -> None:
    config = Topics().config(spec.name)
    assert ("retention.ms" in config) == ("delete" in config["cleanup.policy"].split(","))
    assert ("min.cleanable.dirty.ratio" in config) == _compacted(spec)
    if _compacted(spec):
        assert config["segment.ms"] == "600000"
    else:
        assert int(config["segment.ms"]) * 24 == int(config["retention.ms"])


def test_journals_and_checkpoints_are_kept_as_long_as_what_they_replay() -> None:
    specs = {spec.name: spec for spec in CATALOGUE}
    for agent, source in AGENTS.items():
        assert specs[f"journal.{agent}"].records == (JournalEntry,)
        assert specs[f"journal.{agent}"].retention == specs[source].retention
        assert specs[f"checkpoint.{agent}"].retention == specs[source].retention


def test_what_must_survive_is_compacted() -> None:
    kept = {spec.name for spec in CATALOGUE if _compacted(spec)}
    current = {"health", "lag", "incidents", "decisions", "deliveries", "actions", "policies"}
    assert kept == {*current, *(f"state.{agent}" for agent in AGENTS)}
