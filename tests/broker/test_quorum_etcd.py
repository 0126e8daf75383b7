"""A real etcd cluster that loses one member, its quorum, and gets it back."""

from __future__ import annotations

import time

from tests.support.core_rig import wait_until
from tests.support.etcd import EtcdCluster, etcd_cluster

from snowshed.producers.collectors.base import Clock, QuorumSeen
from snowshed.producers.collectors.etcd import Etcd, EtcdTarget
from snowshed.streams.quorum import QuorumHealth, QuorumStatus, judge


def _health(cluster: EtcdCluster) -> QuorumHealth:
    [seen] = Etcd(EtcdTarget("kv", cluster.urls)).collect(Clock())
    assert isinstance(seen, QuorumSeen)
    return judge(seen.voters, seen.reports, now=time.time(), patience=3.0)


def test_a_cluster_is_judged_through_the_loss_of_its_quorum() -> None:
    with etcd_cluster() as cluster:

        def becomes(status: QuorumStatus) -> None:
            wait_until(lambda: _health(cluster).status is status, 60, what=f"the cluster is {status.value}")

        becomes(QuorumStatus.HEALTHY)
        [leader] = _health(cluster).leaders
        name = next(name for name in cluster.members if cluster.url(name).endswith(leader))
        first, second = (member for member in cluster.members if member != name)
        cluster.kill(first)
        becomes(QuorumStatus.CRITICAL)
        assert _health(cluster).silent == (cluster.url(first).removeprefix("http://"),)
        cluster.kill(second)
        becomes(QuorumStatus.UNKNOWN)
        wait_until(lambda: _health(cluster).leaders == (), 30, what="the last member steps down")
        cluster.start(first)
        becomes(QuorumStatus.CRITICAL)
