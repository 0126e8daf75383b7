"""A real ZooKeeper ensemble that loses one server, its quorum, and gets it back."""

from __future__ import annotations

import time

from tests.support.core_rig import wait_until
from tests.support.zookeeper import Ensemble, ensemble

from snowshed.producers.collectors.zookeeper.answers import from_mntr, from_srvr
from snowshed.streams.quorum import QuorumHealth, QuorumStatus, judge


def _health(servers: Ensemble) -> QuorumHealth:
    now = time.time()
    answers = {member: servers.ask(member, "mntr") for member in servers.members}
    reports = [from_mntr(member, text, now) for member, text in answers.items() if text]
    return judge(servers.members, reports, now=now, patience=3.0)


def test_an_ensemble_is_judged_through_the_loss_of_its_quorum() -> None:
    with ensemble() as servers:
        wait_until(lambda: _health(servers).status is QuorumStatus.HEALTHY, 60, what="three servers form a quorum")
        [leader] = _health(servers).leaders
        first, second = (member for member in servers.members if member != leader)
        described = from_srvr(leader, servers.ask(leader, "srvr") or "", time.time())
        assert described.term is not None
        assert described.term >= 1
        servers.kill(first)
        wait_until(lambda: _health(servers).status is QuorumStatus.CRITICAL, 30, what="two servers bear no failure")
        assert _health(servers).silent == (first,)
        servers.kill(second)
        wait_until(lambda: _health(servers).status is QuorumStatus.UNKNOWN, 30, what="one server alone serves nobody")
        assert servers.ask(leader, "ruok") == "imok", "which says nothing about a quorum"
        servers.start(first)
        wait_until(lambda: _health(servers).status is QuorumStatus.CRITICAL, 60, what="the quorum is back")
