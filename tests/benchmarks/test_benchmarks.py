from __future__ import annotations

from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest
from tests.benchmarks.__main__ import ACCURACY, BENCHMARKS, CONTROL, DETECTION, PERFORMANCE, RELIABILITY
from tests.benchmarks.flow import Committed, faults, longest_gap
from tests.benchmarks.lab_graphs import best_goodput
from tests.benchmarks.loads import ROWS, heartbeats, timings
from tests.benchmarks.report import Figure, Report, Section, write_into
from tests.benchmarks.stage import Stage

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Heartbeat, TimingBatch
from snowshed.streams.lab import SCENARIOS

DOCS = Path(__file__).parents[2] / "docs"
FIGURE = Figure.of("speed", "records/s", [3.0, 1_000_000.0, 2_000.0], "≥ 1")


def report(name: str) -> Report:
    return Report.now([Section(name, "What was run.", (FIGURE,))], broker=None, quick=True)


def test_a_figure_shows_median_and_range() -> None:
    assert FIGURE.row == "| speed | 2 000 | 3 – 1 000 000 | records/s | 3 | ≥ 1 |"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        *(("performance.md", name) for name in PERFORMANCE),
        *(("reliability.md", name) for name in RELIABILITY),
        *(("howto-staleness.md", name) for name in ACCURACY),
        *(("control.md", name) for name in CONTROL),
        *(("detection.md", name) for name in DETECTION),
    ],
)
def test_the_page_has_a_place_for_every_benchmark(source: str, name: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text((DOCS / source).read_text())
    write_into(page, report(name))
    assert FIGURE.row in page.read_text()


@pytest.mark.parametrize("name", ["edges", "simulation", "stability", "control_central", "control_local", "failures"])
def test_a_benchmark_without_a_broker_runs_in_its_quick_form(name: str) -> None:
    with ExitStack() as stack:
        stage = Stage(stack, quick=True)
        section = BENCHMARKS[name](stage)
        stage.folder.rmdir()
    assert section.name == name
    assert all(figure.median >= 0.0 for figure in section.figures)
    assert section.figures


def test_the_oracle_fills_what_is_scarce_with_what_needs_least_of_it() -> None:
    # catalog bears 100 and cart 75, each interface is asked 16 times a second and product 80 times. home, search and
    # basket need one of the two; product and checkout need both, and cart has 75 - 16 = 59 left for them.
    assert best_goodput(SCENARIOS["surge"]) == pytest.approx(16 + 16 + 16 + 59)


def test_a_table_replaces_only_its_predecessor(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- figures of a -->\nold\n<!-- end of a -->\n<!-- figures of b -->\nkept\n<!-- end of b -->\n"
    )
    write_into(page, report("a"))
    write_into(page, report("a"))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("<!-- figures of b -->\nkept\n<!-- end of b -->\n")
    assert "old" not in text
    assert text.count(FIGURE.row) == 1


def test_a_page_without_a_place_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="figures of a"):
        write_into(page, report("a"))


def test_made_heartbeats_are_what_a_node_would_send() -> None:
    items = list(heartbeats(nodes=3, beats=2, start=100.0))
    records = [Codec().decode(item.value) for item in items]
    beats = [record for record in records if isinstance(record, Heartbeat)]
    assert [(beat.node, beat.seq, beat.sent_at) for beat in beats[2:4]] == [
        ("node-00002", 0.0, pytest.approx(100.0 + 1 / 3)),
        ("node-00000", 1.0, 100.5),
    ]
    assert [item.key.decode() for item in items] == [beat.node for beat in beats]


def test_made_timings_have_the_rows_that_are_counted() -> None:
    (item,) = islice(timings(callees=1, reporters=1, batches=1, start=100.0), 1)
    batch = Codec().decode(item.value)
    assert isinstance(batch, TimingBatch)
    assert len(batch.attempts) == len(batch.latency_end) == ROWS
    assert batch.latency_end[-1] == len(batch.latency_bucket)


def batch(
    first: int, following: int, *, partition: int = 0, seen: float = 0.0, records: int | None = None
) -> Committed:
    return Committed(seen, partition, first, following, following - first if records is None else records)


@pytest.mark.parametrize(
    ("batches", "wrong"),
    [
        ([batch(0, 3), batch(3, 3), batch(3, 5)], 0),
        ([batch(0, 3), batch(4, 5)], 1),
        ([batch(0, 3), batch(1, 5)], 2),
        ([batch(0, 3), batch(3, 5, records=1)], 1),
        ([batch(0, 3)], 2),
    ],
    ids=["once", "lost", "repeated", "miscounted", "unfinished"],
)
def test_the_journal_shows_what_was_lost_or_repeated(batches: list[Committed], wrong: int) -> None:
    assert faults(batches, [5]) == wrong


def test_a_pause_is_one_between_batches_of_the_same_partition() -> None:
    seen = [(0, 1.0), (1, 1.5), (0, 3.0), (1, 4.5), (0, 4.0)]
    assert longest_gap([batch(0, 1, partition=partition, seen=at) for partition, at in seen]) == pytest.approx(3.0)
