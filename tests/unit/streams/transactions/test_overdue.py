"""A client that does not come back from a call is noticed."""

from __future__ import annotations

import threading
import time

import pytest
from tests.support.core_rig import wait_until

from snowshed.schemas.connection import KafkaConnection
from snowshed.streams.transactions.errors import Abandoned
from snowshed.streams.transactions.producer import LaneProducer


def test_only_a_call_that_lasts_long_beyond_its_time_out_is_overdue() -> None:
    abandon = threading.Event()
    producer = LaneProducer(KafkaConnection("127.0.0.1:1"), "nobody", timeout=10.0, abandon=abandon)
    assert producer.overdue(time.monotonic() + 3_600) == ""
    failed: list[BaseException] = []

    def fence() -> None:
        with pytest.raises(Abandoned) as info:
            producer.fence()
        failed.append(info.value)

    thread = threading.Thread(target=fence)
    thread.start()
    wait_until(lambda: producer.overdue(time.monotonic() + 31) == "init_transactions", what="the call is under way")
    assert producer.overdue(time.monotonic()) == ""
    abandon.set()
    thread.join(30)
    assert failed
    assert producer.overdue(time.monotonic() + 3_600) == ""
    producer.close()
