from __future__ import annotations

from decimal import Decimal
from math import isnan

import pytest

from snowshed.producers.collectors.mysql.applier_state import Backlog, backlog, mariadb_state, mysql_state
from snowshed.producers.collectors.mysql.source_log import SourceLog

_UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"


def _channel(**changed: object) -> dict[str, object]:
    well = {"receiving": "ON", "applying": "ON", "receive_error": "", "coordinator_error": None, "worker_error": ""}
    idle = {"waiting": "", "now": Decimal("100.5"), "applied": Decimal(90), "begun": None, "received": Decimal(98)}
    return {**well, **idle, **changed}


def test_the_state_of_a_replica_is_that_of_its_worst_channel() -> None:
    good = {"Slave_IO_Running": "Yes", "Slave_SQL_Running": "Yes", "Last_SQL_Error": "", "Last_IO_Error": ""}
    bad = {**good, "Slave_SQL_Running": "No", "Last_SQL_Error": "duplicate key"}
    assert mariadb_state([good]) == mysql_state([_channel()]) == ("yes", "yes", "")
    assert mariadb_state([good, bad]) == ("yes", "no", "duplicate key")
    assert mariadb_state([]) == mysql_state([]) == ("absent", "absent", "")
    worse = _channel(receiving="CONNECTING", receive_error="no route")
    assert mysql_state([_channel(), worse]) == ("connecting", "yes", "no route")


def test_a_worker_knows_better_than_its_coordinator_what_went_wrong() -> None:
    broken = _channel(applying="OFF", coordinator_error="see the workers", worker_error="no such table")
    assert mysql_state([broken]) == ("yes", "no", "no such table")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, Backlog(0.0, 0.0, 0.0)),
        ({"waiting": f"{_UUID}:5-7"}, Backlog(3.0, 2.5, 10.5)),
        ({"waiting": f"{_UUID}:5-7", "begun": Decimal(95)}, Backlog(3.0, 5.5, 10.5)),
        # A worker is at a transaction older than one that another has applied.
        ({"waiting": f"{_UUID}:5", "begun": Decimal(80)}, Backlog(1.0, 20.5, 20.5)),
        # Clocks apart.
        ({"waiting": f"{_UUID}:5", "applied": Decimal(101), "received": Decimal(102)}, Backlog(1.0, 0.0, 0.0)),
    ],
)
def test_what_waits_is_as_old_as_what_is_unseen_and_no_older_than_what_is_seen(
    changed: dict[str, object], expected: Backlog
) -> None:
    assert backlog([_channel(**changed)]) == expected


@pytest.mark.parametrize("unknown", [None, Decimal("0.000000")])
def test_a_time_that_the_server_does_not_know_bounds_nothing(unknown: Decimal | None) -> None:
    found = backlog([_channel(waiting=f"{_UUID}:5", applied=unknown, received=unknown, begun=unknown)])
    assert (found.transactions, found.low) == (1.0, 0.0)
    assert isnan(found.high)


def test_of_several_channels_the_one_counts_on_which_most_waits() -> None:
    found = backlog([_channel(), _channel(waiting=f"{_UUID}:1-9"), _channel(waiting=f"{_UUID}:4", applied=None)])
    assert found.transactions == 9.0
    assert isnan(backlog([]).transactions)


def test_a_source_is_known_by_the_most_transactions_it_was_seen_to_have() -> None:
    log = SourceLog()
    assert isnan(log.learn(None))
    assert log.learn(f"{_UUID}:1-7") == 7.0
    assert log.learn(f"{_UUID}:1-5") == log.learn("") == 7.0
    assert log.known == (f"{_UUID}:1-7", 7.0)
