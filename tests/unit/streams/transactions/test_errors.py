"""What librdkafka's errors mean for a lane."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from snowshed.streams.transactions.errors import Aborted, Disowned, Fenced, Forbidden, Unwritable, classify, passes

INSIDE = ["produce", "send_offsets_to_transaction", "commit_transaction"]
OUTSIDE = ["init_transactions", "begin_transaction", "abort_transaction"]


@pytest.mark.parametrize("call", INSIDE + OUTSIDE)
def test_a_fatal_error_is_the_end_of_the_process(call: str) -> None:
    assert type(classify(call, KafkaError(KafkaError._FENCED, fatal=True))) is Fenced


@pytest.mark.parametrize("call", INSIDE + OUTSIDE)
def test_a_passing_error_repeats_the_call(call: str) -> None:
    assert classify(call, KafkaError(KafkaError._TIMED_OUT, retriable=True)) is None


@pytest.mark.parametrize("call", INSIDE)
def test_any_other_error_inside_a_transaction_aborts_it(call: str) -> None:
    assert type(classify(call, KafkaError(KafkaError._STATE))) is Aborted
    assert type(classify(call, KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, txn_requires_abort=True))) is Aborted


@pytest.mark.parametrize("call", OUTSIDE)
def test_any_other_error_outside_a_transaction_is_the_end_of_the_process(call: str) -> None:
    assert type(classify(call, KafkaError(KafkaError.UNKNOWN))) is Fenced


@pytest.mark.parametrize("call", INSIDE + OUTSIDE)
@pytest.mark.parametrize(
    "code", [KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED]
)
def test_a_permission_that_is_denied_is_said_to_be_one(call: str, code: int) -> None:
    for error in (KafkaError(code), KafkaError(code, fatal=True), KafkaError(code, txn_requires_abort=True)):
        meaning = classify(call, error)
        assert type(meaning) is Forbidden
        assert "Permissions" in str(meaning)


@pytest.mark.parametrize("code", [KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID])
def test_lost_membership_aborts_and_waits_for_the_rebalance(code: int) -> None:
    assert type(classify("send_offsets_to_transaction", KafkaError(code, txn_requires_abort=True))) is Disowned


def test_a_record_that_is_too_large_is_the_batchs_own_fault() -> None:
    error = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True)
    assert type(classify("commit_transaction", error)) is Unwritable


@pytest.mark.parametrize("code", [KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT])
def test_a_broker_out_of_reach_is_asked_again(code: int) -> None:
    assert passes(KafkaError(code))
    assert not passes(KafkaError(code, fatal=True))
    assert not passes(KafkaError(KafkaError._UNKNOWN_PARTITION))
