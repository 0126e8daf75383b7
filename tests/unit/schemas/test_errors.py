"""Errors say what is wrong and where."""

from __future__ import annotations

import copy
import pickle

import pytest

from snowshed.schemas import DecodeError, NotOurs, Rejected, SchemaMismatch, SnowshedError, Truncated, UnknownSchema


@pytest.mark.parametrize("kind", [NotOurs, UnknownSchema, Truncated, SchemaMismatch])
def test_a_decode_error_keeps_its_class_and_reason_when_it_learns_its_place(kind: type[DecodeError]) -> None:
    error = kind("bad bytes").at("snowshed.timings", 3, 17)
    assert type(error) is kind
    assert (error.reason, error.topic, error.partition, error.offset) == ("bad bytes", "snowshed.timings", 3, 17)
    assert str(error) == "snowshed.timings[3]@17: bad bytes"


def test_a_decode_error_without_a_place_is_its_reason() -> None:
    assert str(Truncated("bad bytes")) == "bad bytes"


def test_a_rejection_tells_the_caller_when_to_come_back() -> None:
    error = Rejected("orders", "rate limit", retry_after=1.5, decision_id="d1")
    assert str(error) == "call to orders refused: rate limit; retry after 1.50 s"
    assert (error.scope, error.reason, error.retry_after, error.decision_id) == ("orders", "rate limit", 1.5, "d1")


def test_a_rejection_passes_from_one_process_to_another() -> None:
    error = Rejected("orders", "rate limit", retry_after=1.5, decision_id="d1", retriable=False)
    for passed in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own
        assert (type(passed), str(passed), vars(passed)) == (Rejected, str(error), vars(error))


def test_every_error_has_one_base() -> None:
    assert issubclass(DecodeError, SnowshedError)
    assert issubclass(Rejected, SnowshedError)
