"""The heartbeat reader reads what the codec reads, and rejects what it rejects."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import DecodeError
from snowshed.schemas.records import Heartbeat, NodeStatus
from snowshed.streams.folding import Message
from snowshed.streams.health.columns import COLUMNS, HeartbeatReader

CODEC = Codec()
number = st.floats(-1e12, 1e12)
measure = st.one_of(st.just(nan), st.floats(0.0, 1e6))
heartbeats = st.builds(
    Heartbeat,
    node=st.sampled_from(["a", "b", "ñandú", ""]),
    service=st.text(max_size=4),
    zone=st.text(max_size=4),
    host=st.sampled_from(["h", "h2"]),
    status=st.sampled_from(NodeStatus),
    seq=number,
    sent_at=number,
    monotonic=number,
    interval=st.floats(0.01, 100.0),
    round_trip=measure,
    local_health=st.floats(0.0, 7.0),
    cpu=measure,
    tcp_time_wait=measure,
)
messages = st.one_of(heartbeats.map(CODEC.encode), st.binary(max_size=200), st.none())


@given(st.lists(messages, max_size=30), st.integers(1, 4))
def test_every_message_is_read_as_the_codec_reads_it(values: list[bytes | None], remembered: int) -> None:
    reader = HeartbeatReader(CODEC, remembered)
    log = [Message(offset, 1000.0 + offset, None, value) for offset, value in enumerate(values)]
    decoded = reader.read(log + log)
    columns = decoded.records
    row = 0
    for message in log + log:
        try:
            expected = CODEC.decode(message.value)
        except DecodeError:
            assert any(reject.message is message for reject in decoded.rejects)
            continue
        assert isinstance(expected, Heartbeat)
        identity = columns.identities[row]
        assert identity == tuple(getattr(expected, name) for name in identity._fields)
        assert np.array_equal(columns.values[row], [getattr(expected, name) for name in COLUMNS], equal_nan=True)
        assert (columns.offsets[row], columns.append_times[row]) == (message.offset, message.timestamp)
        row += 1
    assert row == len(columns.identities) == len(columns.values)


def test_truncated_and_lengthened_beats_are_rejected_even_when_their_sender_is_known() -> None:
    raw = CODEC.encode(Heartbeat(node="a", service="s", seq=1, sent_at=1, monotonic=1, interval=1))
    reader = HeartbeatReader(CODEC)
    values = [raw, raw[:-1], raw + b"\0", raw[1:], raw]
    decoded = reader.read([Message(index, 0.0, None, value) for index, value in enumerate(values)])
    assert decoded.records.offsets == (0, 4)
    assert [reject.message.offset for reject in decoded.rejects] == [1, 2, 3]


def test_beats_that_cannot_be_judged_are_rejected_and_stray_numbers_are_cleaned() -> None:
    good = Heartbeat(node="a", service="s", seq=1, sent_at=1, monotonic=1, interval=1)
    beats = [
        replace(good, sent_at=nan),
        replace(good, local_health=inf, cpu=-inf),
        replace(good, interval=0.0),
        replace(good, seq=inf),
        replace(good, local_health=99.0),
    ]
    reader = HeartbeatReader(CODEC)
    decoded = reader.read([Message(index, 0.0, None, CODEC.encode(beat)) for index, beat in enumerate(beats)])
    assert decoded.records.offsets == (1, 4)
    assert [reject.message.offset for reject in decoded.rejects] == [0, 2, 3]
    assert decoded.records.values[:, COLUMNS.index("local_health")].tolist() == [0.0, 7.0]
    assert np.isnan(decoded.records.values[0, COLUMNS.index("cpu")])


def test_no_messages_give_the_columns_of_a_tick() -> None:
    decoded = HeartbeatReader(CODEC).read([])
    assert decoded.rejects == ()
    assert decoded.records.values.shape == (0, len(COLUMNS))
