"""Which group protocol a worker chooses."""

from __future__ import annotations

from snowshed.streams.transactions.protocol import choose


def test_an_untouched_broker_gets_the_classic_protocol_at_its_minimum() -> None:
    broker = {"group.consumer.session.timeout.ms": "45000", "group.min.session.timeout.ms": "6000"}
    chosen = choose("g", broker)
    assert (chosen.protocol, chosen.session) == ("classic", 6.0)


def test_a_broker_with_short_consumer_sessions_gets_the_new_protocol() -> None:
    broker = {"group.consumer.session.timeout.ms": "3000", "group.min.session.timeout.ms": "6000"}
    chosen = choose("g", broker)
    assert (chosen.protocol, chosen.session) == ("consumer", 3.0)
    assert chosen.librdkafka()["group.protocol"] == "consumer"


def test_a_broker_that_hides_its_settings_gets_what_works_everywhere() -> None:
    chosen = choose("g", {})
    assert chosen.librdkafka()["session.timeout.ms"] == 6000


def test_a_wish_below_the_brokers_minimum_is_raised_to_it() -> None:
    assert choose("g", {"group.min.session.timeout.ms": "6000"}, session=1.0).session == 6.0


def test_a_setting_forces_either() -> None:
    broker = {"group.consumer.session.timeout.ms": "3000", "group.min.session.timeout.ms": "1000"}
    assert choose("g", broker, protocol="consumer").protocol == "consumer"
    assert choose("g", broker, protocol="classic", session=2.0).session == 2.0


def test_a_broker_that_allows_very_short_sessions_does_not_get_them_unasked() -> None:
    assert choose("g", {"group.min.session.timeout.ms": "1000"}).session == 3.0


def test_a_member_hears_of_a_hand_over_soon_however_long_its_session() -> None:
    slow = choose("g", {"group.min.session.timeout.ms": "6000"}, session=30.0).librdkafka()
    fast = choose("g", {"group.min.session.timeout.ms": "600"}, session=0.6, protocol="classic").librdkafka()
    assert (slow["session.timeout.ms"], slow["heartbeat.interval.ms"]) == (30_000, 300)
    assert (fast["session.timeout.ms"], fast["heartbeat.interval.ms"]) == (600, 100)
