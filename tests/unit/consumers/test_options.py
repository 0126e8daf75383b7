"""Options that no brake could work with are refused when they are written down."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

import pytest

from snowshed.consumers import LocalBrakes
from snowshed.consumers.brakes import (
    AdaptiveTimeoutOptions,
    BulkheadOptions,
    CircuitOptions,
    ConcurrencyLimitOptions,
    DeadlineOptions,
    LeakyBucketOptions,
    QueueDelayOptions,
    TenantsOptions,
    ThrottleOptions,
)
from snowshed.schemas.errors import ConfigurationError


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: LeakyBucketOptions(rate=0.0), "LeakyBucketOptions: rate is 0.0; give more than 0"),
        (lambda: LeakyBucketOptions(rate=1.0, depth=0.5), "depth is 0.5; give 1 or more"),
        (lambda: CircuitOptions(failed=50.0), "failed is 50.0; give more than 0 and at most 1"),
        (lambda: CircuitOptions(open_for=400.0), "open_at_most is 300.0; give 400 or more"),
        (lambda: ConcurrencyLimitOptions(start=500), "start is 500; give 1 or more and at most 200"),
        (lambda: QueueDelayOptions(down=1.5), "down is 1.5"),
        (lambda: QueueDelayOptions(window=nan), "window is nan"),
        (lambda: ThrottleOptions(k=0.5), "k is 0.5; give 1 or more"),
        (lambda: BulkheadOptions(operations={"report": -1}), "operations is -1; give 0 or more"),
        (lambda: TenantsOptions(shares=0.0), "shares is 0.0"),
        (lambda: DeadlineOptions(share=-1.0), "share is -1.0"),
        (lambda: AdaptiveTimeoutOptions(shortest=2.0, longest=1.0), "longest is 1.0; give 2 or more"),
        (lambda: LocalBrakes(service_window=0.0), "LocalBrakes: service_window is 0.0"),
    ],
)
def test_what_cannot_work_is_named_with_what_is_accepted(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make()
    assert says in str(refused.value)
