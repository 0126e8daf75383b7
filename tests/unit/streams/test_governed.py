"""A change of the policy in the input of any fold: it holds from its place on, and an older one is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.streams.edges.test_timing_fold import report
from tests.unit.streams.health.test_heartbeat_fold import beat
from tests.unit.streams.lag.test_marker_fold import Pair

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import EdgeHealth, Lag, Liveness, NodeHealth, PolicyChange, Record
from snowshed.schemas.topics import AGENTS
from snowshed.streams.agents.folds import folds
from snowshed.streams.cascade import DomainFold
from snowshed.streams.edges import TimingFold
from snowshed.streams.folding import Batch, Emission, Fold, Message
from snowshed.streams.governed import KEY, Governed
from snowshed.streams.health import HeartbeatFold
from snowshed.streams.lag import MarkerFold
from snowshed.streams.policy import Policy, parsed
from snowshed.streams.policy.changes import AppliedPolicy, PolicyRefused

START = 1_700_000_000.0
_CODEC = Codec()
_MOVED = '[services.web]\ndomain = "shop"\n'
_KINDS = (HeartbeatFold, TimingFold, MarkerFold, DomainFold)

Kind = Callable[[Policy], Fold[Any, Any]]


def change(revision: int, text: str = _MOVED) -> PolicyChange:
    return PolicyChange(
        domain="default", revision=revision, fingerprint=parsed(text).fingerprint, text=text, changed_at=0.0
    )


class Lane:
    """One partition of a governed fold: takes a batch at a time, and its state goes through its bytes."""

    def __init__(self, kind: Kind, *, pinned: bool = False) -> None:
        self.fold: Governed[Any, Any] = Governed(kind, Policy(), pinned=pinned)
        self.state: dict[str, Any] = {}
        self.offset = self.version = 0
        self.batches: list[tuple[float, int]] = []
        """When each was judged, and how many records it had."""
        self.clocks_off: list[float | None] = []
        """What the step of each says of clocks."""

    def take(self, now: float, records: Iterable[tuple[float, Record]] = ()) -> list[Emission]:
        messages = [
            Message(self.offset + index, appended, b"key", _CODEC.encode(record))
            for index, (appended, record) in enumerate(records)
        ]
        said: list[Emission] = []
        while True:
            decoded = self.fold.decode(messages)
            assert decoded.rejects == ()
            taken, messages = messages[: decoded.taken], messages[len(messages[: decoded.taken]) :]
            said += self._step(now if not messages else taken[-1].timestamp, len(taken), decoded.records)
            if not messages:
                return said

    def _step(self, now: float, count: int, records: Any) -> tuple[Emission, ...]:
        first, self.offset, self.version = self.offset, self.offset + count, self.version + 1
        step = self.fold.step(self.state, Batch(0, first, self.offset, self.version, now, True, 0.0, records))
        self.batches.append((now, count))
        self.clocks_off.append(step.clock_off)
        for key, value in step.changes.items():
            self.state.pop(key, None)
            if value is not None:
                self.state[key] = self.fold.load(raw := self.fold.dump(value))
                assert self.fold.dump(self.state[key]) == raw
        return step.emissions


def statuses(said: Iterable[Emission]) -> list[str]:
    """Of each verdict of level 1, in order."""
    told = [one.record for one in said if one.topic in {"health", "lag"} and not one.key.endswith("/pg-main")]
    return [one.status.value for one in told if isinstance(one, EdgeHealth | Lag | NodeHealth)]


def test_every_agent_of_a_worker_is_governed() -> None:
    judges = folds(Policy(), _CODEC)
    assert judges.keys() == AGENTS.keys()
    assert all(isinstance(judge, Governed) for judge in judges.values())


def test_a_node_is_suspected_by_the_threshold_that_was_applied() -> None:
    lane, hasty = Lane(HeartbeatFold), change(1, "[health]\nsuspect_phi = 0.5\n")
    lane.take(START, [(START + number / 2, beat("a", number)) for number in range(-20, 1)])
    assert statuses(lane.take(START + 0.6)) == []
    assert statuses(lane.take(START + 0.6, [(START + 0.6, hasty)])) == ["suspect"]


def test_an_edge_is_overloaded_by_the_threshold_that_was_applied() -> None:
    lane, lenient = Lane(TimingFold), change(1, "[edges]\nqueue_delay = 60\n")
    queued = report(seconds=0.001, queue_delay=30.0)
    for number in range(20):
        lane.take(START + number, [(START + number, report(seconds=0.001))])
    assert statuses(lane.take(START + 20, [(START + 20, queued)])) == ["overloaded"]
    lane.take(START + 20.5, [(START + 20.5, lenient)])
    assert statuses(lane.take(START + 21.5, [(START + 21.5, queued)])) == ["ok"]


def test_a_replica_is_behind_by_the_objective_that_was_applied() -> None:
    lane, pair = Lane(MarkerFold), Pair()
    said: list[Emission] = []
    for at in (START + tick / 5 for tick in range(100)):
        pair.applied = min(at, START + 10)
        said += lane.take(at + 0.01, [pair.source(at), pair.replica(at)])
    assert statuses(said)[-1] == "behind"
    assert statuses(lane.take(START + 20, [(START + 20, change(1, "[lag]\nslo = 60\n"))])) == ["fresh"]


def test_a_change_begins_a_batch_of_its_own_and_what_is_before_it_is_judged_no_later_than_that() -> None:
    lane = Lane(HeartbeatFold)
    said = lane.take(
        START + 3.5,
        [
            (START, beat("a", 0)),
            (START + 1, change(1)),
            (START + 2, beat("b", 4)),
            (START + 3, change(2, "")),
            (START + 3.1, change(3)),
            (START + 3.2, beat("c", 6)),
        ],
    )
    assert lane.batches == [(START, 1), (START + 2, 2), (START + 3, 1), (START + 3.5, 2)]
    told = [one.record for one in said if one.topic == "health"]
    alive = [(one.node, one.domain) for one in told if isinstance(one, NodeHealth) and one.status is Liveness.ALIVE]
    assert alive == [("a", "default"), ("b", "shop"), ("c", "shop")]


def test_a_node_of_any_name_is_kept_apart_from_the_policy_in_force() -> None:
    lane = Lane(HeartbeatFold)
    lane.take(START, [(START, change(1)), (START, beat("policy", 0))])
    assert lane.state.keys() == {KEY, "policy"}
    assert lane.state[KEY] == AppliedPolicy(
        revision=1, fingerprint=parsed(_MOVED).fingerprint, text=_MOVED, since=START
    )


@pytest.mark.parametrize("kind", _KINDS)
def test_a_repeated_change_changes_nothing_and_an_older_one_or_another_of_its_number_is_refused(kind: Kind) -> None:
    lane = Lane(kind)
    lane.take(START, [(START, change(2))])
    held = lane.state[KEY]
    lane.take(START + 1, [(START + 1, change(2))])
    assert lane.state[KEY] is held
    for refused in (change(1), change(2, "")):
        with pytest.raises(PolicyRefused, match=f"revision {refused.revision} .* is not newer than revision 2"):
            lane.take(START + 2, [(START + 2, refused)])
    assert lane.state[KEY] is held


def test_a_pinned_fold_passes_changes_over_and_what_its_lane_held() -> None:
    lane = Lane(HeartbeatFold, pinned=True)
    said = lane.take(START, [(START, change(1)), (START, beat("a", 0))])
    assert KEY not in lane.state
    live = Lane(HeartbeatFold)
    live.take(START, [(START, change(1))])
    lane.state = dict(live.state)
    said += lane.take(START, [(START, beat("b", 0))])
    assert [one.key for one in said if one.topic == "observations"] == ["default", "default"]
    assert lane.state.keys() == {KEY, "b"}


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize(
    ("text", "fingerprint", "reason"),
    [
        ("[retyr]", "", r"policy\.retyr is not a setting: did you mean retry"),
        ("[retry", "", "is not valid TOML"),
        ("", "000000000000", "000000000000 was announced and .* is read here"),
    ],
)
def test_a_change_that_cannot_be_read_is_rejected_with_its_reason(
    kind: Kind, text: str, fingerprint: str, reason: str
) -> None:
    unread = replace(change(1, ""), fingerprint=fingerprint, text=text)
    messages = [Message(offset, 0.0, b"d", value) for offset, value in ((3, b"?"), (4, _CODEC.encode(unread)))]
    decoded = Governed(kind, Policy()).decode(messages)
    assert [reject.message.offset for reject in decoded.rejects] == [3, 4]
    assert (decoded.taken, decoded.records.change) == (None, None)
    with pytest.raises(type(decoded.rejects[1].error), match=reason):
        raise decoded.rejects[1].error


def test_what_a_step_says_for_metrics_is_kept_beside_a_change() -> None:
    lane = Lane(HeartbeatFold)
    for number in range(20):
        now = START + number * 0.5
        lane.take(now, [(now, replace(beat("a", number), sent_at=now + 30.0, round_trip=0.02))])
    now = START + 20 * 0.5
    late = replace(beat("a", 20), sent_at=now + 30.0, round_trip=0.02)
    lane.take(now + 60.0, [(now, change(1)), (now, late)])
    assert lane.clocks_off[-1] == pytest.approx(30.0, abs=0.1)
