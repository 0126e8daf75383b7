from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.broker import BrokerSettings
from snowshed.streams.cli.lab_view import comparison, line
from snowshed.streams.lab import SCENARIOS, Ended, Note, Outcome, Played, Tick
from snowshed.streams.lab.session import lab_kafka
from snowshed.streams.plotting.goodput import plot_goodput

STORM = SCENARIOS["retry_storm"]


def played(protect: str, *, recovers: bool, late: float = 0.02) -> Played:
    """A run of ten requests a second that fails from its trouble on, and may recover after it."""
    begin, end = STORM.trouble

    def outcome(at: float) -> Outcome:
        return Outcome.OK if at < begin or (recovers and at >= end) else Outcome.TIMEOUT

    times = [second + number / 20 for second in range(STORM.seconds) for number in range(10)]
    ticks = (Tick(second=n, offered=10, good=10 if n < begin else 0, attempts=30, queues={}) for n in range(60))
    return Played(
        scenario=STORM,
        protect=protect,
        seed=1,
        ended=tuple(Ended(1, at, at + 0.01, outcome(at)) for at in times),
        ticks=tuple(ticks),
        notes=(Note(16.0, "server is overloaded.", decided=True),),
        received={},
        late=late,
    )


def text_of(renderable: object) -> str:
    console = Console(width=160, highlight=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_the_table_sets_arrangements_side_by_side() -> None:
    text = text_of(comparison([played("off", recovers=False), played("both", recovers=True)]))
    off, both = (next(row for row in text.splitlines() if row.startswith(name)) for name in ("off", "both"))
    assert "never" in off
    assert "45.0 s" in off
    assert "0 s" in both
    assert "10.0 s" in both


def test_a_machine_that_fell_behind_is_told() -> None:
    assert "too busy" not in text_of(comparison([played("off", recovers=False)]))
    text = text_of(comparison([played("off", recovers=False), played("both", recovers=True, late=1.44)]))
    assert "both: this machine was too busy for its load, which sent requests up to 1.4 s late" in text
    assert "off: this machine" not in text


def test_a_second_is_a_bar_with_what_was_answered_asked_and_sent() -> None:
    tick = Tick(second=17, offered=330, good=165, attempts=700, queues={"server": 12, "web": 0})
    shown = line(tick, 330.0).plain
    assert shown.count("█") == shown.count("░") == 18
    assert shown.endswith("165 in time of 330, 700 sent; waiting: server 12")


def test_a_bar_never_leaves_its_frame() -> None:
    tick = Tick(second=17, offered=330, good=2000, attempts=700, queues={})
    assert line(tick, 330.0).plain.count("█") == 36


def test_what_snowshed_decided_is_told_from_what_the_scenario_did() -> None:
    assert "snowshed: " in line(Note(16.0, "server is overloaded.", decided=True), 330.0).plain
    assert "snowshed: " not in line(Note(15.0, "the cache is emptied"), 330.0).plain


@pytest.mark.parametrize("ending", [".png", ".svg"])
def test_a_picture_is_drawn(tmp_path: Path, ending: str) -> None:
    picture = tmp_path / f"storm{ending}"
    plot_goodput(picture, [played("off", recovers=False), played("both", recovers=True)])
    assert picture.stat().st_size > 5000


def test_a_scenario_that_kills_its_broker_takes_none_that_others_use() -> None:
    settings = BrokerSettings(bootstrap="127.0.0.1:9092")
    opened = lab_kafka(SCENARIOS["control_plane_loss"], ["both"], settings, lambda _step: None)
    with pytest.raises(ConfigurationError, match="one of its own"), opened:
        pass


def test_no_broker_is_looked_for_where_none_is_needed() -> None:
    with lab_kafka(STORM, ["off", "local"], BrokerSettings(bootstrap="127.0.0.1:1"), lambda _step: None) as kafka:
        assert kafka is None
