"""The two parts: `dev` to choose settings on, `test` to judge them by, with other fleets, seeds and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from snowshed.streams.simulate.corpus import calm, outages
from snowshed.streams.simulate.corpus.case import Case
from snowshed.streams.simulate.corpus.fleets import BOOKINGS, PAIR, SHOP, TRAVEL

__all__ = ["PARTS"]


def _dev() -> Iterator[Case]:
    yield outages.retry_storm(1, 45.0, 0.38, 0.2, 10.0)
    yield outages.retry_storm(2, 52.0, 0.38, 0.225, 8.0)
    yield outages.retry_storm(3, 48.0, 0.5, 0.3, 12.0)
    yield outages.retry_storm(4, 58.0, 0.6, 0.35, 6.0)
    yield outages.cold_cache(11, 45.0, 300.0, 2000, 0.7)
    yield outages.cold_cache(12, 52.0, 360.0, 2400, 0.75)
    yield outages.cold_cache(13, 40.0, 420.0, 2600, 0.72)
    yield outages.cold_cache(14, 55.0, 240.0, 1500, 0.65)
    yield outages.capacity_loss(21, SHOP, 42.0, "payments", factor=0.2, trouble=18.0)
    yield outages.capacity_loss(22, SHOP, 50.0, "stock", factor=0.2, trouble=20.0)
    yield outages.capacity_loss(23, SHOP, 46.0, "orders", factor=0.2, trouble=15.0)
    yield outages.capacity_loss(24, SHOP, 54.0, "payments", factor=0.1, trouble=20.0)
    yield outages.gray_node(31, SHOP, 44.0, ("stock", 0), speed=0.1, failing=0.3)
    yield outages.gray_node(32, SHOP, 50.0, ("stock", 2), speed=1.0, failing=0.5)
    yield outages.gray_node(33, SHOP, 41.0, ("stock", 1), speed=0.06, failing=0.0)
    yield outages.gray_node(34, SHOP, 47.0, ("orders", 1), speed=0.5, failing=0.4)
    yield outages.complete(41, SHOP, 45.0, ("orders", "payments"), rate=12.0, trouble=18.0)
    yield outages.complete(42, SHOP, 51.0, ("orders", "payments"), rate=20.0, trouble=14.0)
    yield outages.complete(43, SHOP, 43.0, ("stock",), rate=15.0, trouble=16.0)
    yield outages.complete(44, SHOP, 49.0, ("payments",), rate=12.0, trouble=20.0)
    yield outages.one_edge(51, SHOP, 44.0, ("orders", "stock"), 16.0, one_way=False)
    yield outages.one_edge(52, SHOP, 52.0, ("gateway", "stock"), 14.0, one_way=False)
    yield outages.one_edge(53, SHOP, 47.0, ("orders", "stock"), 20.0, one_way=False)
    yield outages.one_edge(54, SHOP, 40.0, ("gateway", "stock"), 18.0, one_way=False)
    yield outages.one_edge(61, SHOP, 46.0, ("orders", "stock"), 16.0, one_way=True)
    yield outages.one_edge(62, SHOP, 50.0, ("gateway", "stock"), 14.0, one_way=True)
    yield outages.one_edge(63, SHOP, 42.0, ("orders", "stock"), 20.0, one_way=True)
    yield outages.one_edge(64, SHOP, 48.0, ("gateway", "stock"), 18.0, one_way=True)
    yield outages.replication_lag(71, 40.0, ("orders", "orders-db"), "r1", 0.0)
    yield outages.replication_lag(72, 46.0, ("orders", "orders-db"), "r2", 0.3)
    yield outages.replication_lag(73, 43.0, ("stock", "stock-db"), "r1", 0.5)
    yield outages.replication_lag(74, 50.0, ("stock", "stock-db"), "r2", 0.7)
    yield calm.deploy(81, PAIR, 45.0, "core", 0.6)
    yield calm.deploy(82, PAIR, 50.0, "core", 0.5)
    yield calm.deploy(83, PAIR, 40.0, "core", 0.7)
    yield calm.deploy(84, SHOP, 46.0, "stock", 0.6)
    yield calm.daily_curve(91, PAIR, 36.0, 0.4, 120.0)
    yield calm.daily_curve(92, PAIR, 36.0, 0.5, 150.0)
    yield calm.daily_curve(93, PAIR, 44.0, 0.3, 90.0)
    yield calm.daily_curve(94, PAIR, 40.0, 0.5, 110.0)
    yield calm.spike(101, PAIR, 45.0, 1.5, 15.0)
    yield calm.spike(102, PAIR, 50.0, 1.3, 25.0)
    yield calm.spike(103, PAIR, 42.0, 1.7, 10.0)
    yield calm.spike(104, SHOP, 47.0, 1.4, 20.0)
    for number, (onset, rate) in enumerate(((40.0, 90.0), (46.0, 120.0), (43.0, 100.0), (51.0, 150.0))):
        yield calm.flush(111 + number, onset, rate, 2000)


def _test() -> Iterator[Case]:
    yield outages.retry_storm(1001, 49.0, 0.4, 0.2, 11.0)
    yield outages.retry_storm(1002, 56.0, 0.34, 0.25, 9.0)
    yield outages.retry_storm(1003, 43.0, 0.55, 0.25, 8.0)
    yield outages.retry_storm(1004, 51.0, 0.65, 0.4, 10.0)
    yield outages.cold_cache(1011, 47.0, 330.0, 2200, 0.72)
    yield outages.cold_cache(1012, 54.0, 270.0, 1800, 0.68)
    yield outages.cold_cache(1013, 42.0, 290.0, 1600, 0.66)
    yield outages.cold_cache(1014, 50.0, 400.0, 3000, 0.78)
    yield outages.capacity_loss(1021, TRAVEL, 45.0, "ledger", factor=0.2, trouble=16.0)
    yield outages.capacity_loss(1022, TRAVEL, 53.0, "fares", factor=0.2, trouble=18.0)
    yield outages.capacity_loss(1023, TRAVEL, 41.0, "search", factor=0.15, trouble=20.0)
    yield outages.capacity_loss(1024, TRAVEL, 49.0, "booking", factor=0.15, trouble=17.0)
    yield outages.gray_node(1031, TRAVEL, 46.0, ("fares", 1), speed=0.12, failing=0.25)
    yield outages.gray_node(1032, TRAVEL, 51.0, ("fares", 0), speed=1.0, failing=0.6)
    yield outages.gray_node(1033, TRAVEL, 43.0, ("fares", 2), speed=0.07, failing=0.0)
    yield outages.gray_node(1034, TRAVEL, 48.0, ("search", 0), speed=0.4, failing=0.35)
    yield outages.complete(1041, TRAVEL, 47.0, ("booking", "ledger"), rate=14.0, trouble=17.0)
    yield outages.complete(1042, TRAVEL, 44.0, ("search",), rate=16.0, trouble=15.0)
    yield outages.complete(1043, TRAVEL, 52.0, ("fares",), rate=18.0, trouble=18.0)
    yield outages.complete(1044, TRAVEL, 41.0, ("booking", "ledger"), rate=10.0, trouble=20.0)
    yield outages.one_edge(1051, TRAVEL, 45.0, ("search", "fares"), 15.0, one_way=False)
    yield outages.one_edge(1052, TRAVEL, 50.0, ("booking", "fares"), 18.0, one_way=False)
    yield outages.one_edge(1053, TRAVEL, 42.0, ("search", "fares"), 19.0, one_way=False)
    yield outages.one_edge(1054, TRAVEL, 48.0, ("booking", "fares"), 13.0, one_way=False)
    yield outages.one_edge(1061, TRAVEL, 43.0, ("search", "fares"), 17.0, one_way=True)
    yield outages.one_edge(1062, TRAVEL, 49.0, ("booking", "fares"), 15.0, one_way=True)
    yield outages.one_edge(1063, TRAVEL, 46.0, ("search", "fares"), 13.0, one_way=True)
    yield outages.one_edge(1064, TRAVEL, 51.0, ("booking", "fares"), 20.0, one_way=True)
    yield outages.replication_lag(1071, 44.0, ("ledger", "ledger-db"), "r2", 0.0)
    yield outages.replication_lag(1072, 49.0, ("ledger", "ledger-db"), "r1", 0.4)
    yield outages.replication_lag(1073, 41.0, ("fares", "fares-db"), "r2", 0.6)
    yield outages.replication_lag(1074, 47.0, ("fares", "fares-db"), "r1", 0.2)
    yield calm.deploy(1081, BOOKINGS, 46.0, "seats", 0.65)
    yield calm.deploy(1082, BOOKINGS, 41.0, "seats", 0.5)
    yield calm.deploy(1083, BOOKINGS, 52.0, "seats", 0.55)
    yield calm.deploy(1084, TRAVEL, 44.0, "fares", 0.7)
    yield calm.daily_curve(1091, BOOKINGS, 28.0, 0.45, 130.0)
    yield calm.daily_curve(1092, BOOKINGS, 24.0, 0.5, 110.0)
    yield calm.daily_curve(1093, BOOKINGS, 30.0, 0.35, 150.0)
    yield calm.daily_curve(1094, BOOKINGS, 26.0, 0.4, 95.0)
    yield calm.spike(1101, BOOKINGS, 47.0, 1.6, 12.0)
    yield calm.spike(1102, BOOKINGS, 43.0, 1.4, 22.0)
    yield calm.spike(1103, BOOKINGS, 51.0, 1.5, 18.0)
    yield calm.spike(1104, TRAVEL, 45.0, 1.35, 20.0)
    for number, (onset, rate) in enumerate(((42.0, 100.0), (48.0, 80.0), (45.0, 140.0), (50.0, 115.0))):
        yield calm.flush(1111 + number, onset, rate, 2400)


PARTS: Mapping[str, tuple[Case, ...]] = MappingProxyType({"dev": tuple(_dev()), "test": tuple(_test())})
"""The cases by part; four of each kind."""
