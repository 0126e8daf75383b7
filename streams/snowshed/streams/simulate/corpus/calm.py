"""Cases in which nothing may alarm anybody."""

from __future__ import annotations

from snowshed.streams.simulate.corpus.case import Case, case
from snowshed.streams.simulate.corpus.fleets import cached, loaded
from snowshed.streams.simulate.queueing.fleet import Fleet
from snowshed.streams.simulate.queueing.troubles import Deploy, Flush, Spike

__all__ = ["daily_curve", "deploy", "flush", "spike"]


def deploy(seed: int, fleet: Fleet, onset: float, service: str, cold: float) -> Case:
    """Three replicas that restart one after another, cold at first."""
    rollout = Deploy(service=service, start=onset, replicas=3, down=4.0, cold=4.0, cold_factor=cold)
    says = f"the replicas of {service} restart one after another, at {cold:g} of their speed at first"
    return case("deploy", fleet, rollout, seed=seed, seconds=int(onset + rollout.seconds) + 15, says=says)


def daily_curve(seed: int, fleet: Fleet, rate: float, swing: float, period: float) -> Case:
    """A day in a few minutes."""
    says = f"a day in {period:g} s: the load moves by {swing:g} of {rate:g} requests a second"
    return case("daily_curve", loaded(fleet, rate, swing, period), seed=seed, seconds=120, says=says)


def spike(seed: int, fleet: Fleet, onset: float, factor: float, trouble: float) -> Case:
    """More load than usual, which the fleet can bear."""
    load = fleet.loads[0]
    more = Spike(caller=load.caller, callee=load.callee, factor=factor, start=onset, seconds=trouble)
    says = f"{factor:g} times the load for {trouble:g} s, which the fleet can bear"
    return case("benign_spike", fleet, more, seed=seed, seconds=int(onset + trouble) + 20, says=says)


def flush(seed: int, onset: float, rate: float, keys: int) -> Case:
    """A cache that loses all it holds before a store that can bear it."""
    says = f"the cache of {keys} keys is flushed under {rate:g} requests a second, which the store can bear"
    lost = Flush(caller="client", callee="store", start=onset)
    return case("benign_flush", cached(rate, keys, 0.7), lost, seed=seed, seconds=int(onset) + 40, says=says)
