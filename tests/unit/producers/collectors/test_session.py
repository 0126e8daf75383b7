from __future__ import annotations

import pytest

from snowshed.producers.collectors.postgres.session import QueryFailed, Session
from snowshed.streams.broker import free_ports


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    [port] = free_ports(1)
    session = Session("orders/r1", f"postgresql://agent:XYsecretZ@127.0.0.1:{port}/shop", {})
    with pytest.raises(QueryFailed, match=rf"orders/r1 \(agent@127\.0\.0\.1:{port}/shop\)") as failed:
        session.query("SELECT 1")
    assert failed.value.sqlstate == ""
    assert "secretZ" not in str(failed.value)
    session.close()
