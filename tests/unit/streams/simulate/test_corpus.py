"""The committed corpus is what its generator makes, and covers what it says."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from snowshed.streams.scoring import read_labels
from snowshed.streams.simulate.corpus import PARTS, named, write_case

CORPUS = Path(__file__).parents[3] / "corpus"
LABELS = {part: {label.case: label for label in read_labels(CORPUS / part)} for part in PARTS}


@pytest.mark.parametrize(("part", "name"), [("dev", "retry_storm-1"), ("test", "replication_lag-2")])
def test_a_case_made_again_is_the_committed_one_byte_for_byte(part: str, name: str, tmp_path: Path) -> None:
    label = write_case(tmp_path, name, dict(named(part))[name])
    # Decompressed, because another release of zlib may pack the same bytes otherwise.
    made, kept = (gzip.decompress((folder / f"{name}.jsonl.gz").read_bytes()) for folder in (tmp_path, CORPUS / part))
    assert made == kept
    assert label == LABELS[part][name]


@pytest.mark.parametrize("part", PARTS)
def test_every_case_is_there_and_labelled_as_the_generator_says(part: str) -> None:
    cases = dict(named(part))
    assert LABELS[part].keys() == cases.keys() == {path.name.split(".")[0] for path in (CORPUS / part).glob("*.gz")}
    assert all(label.seed == cases[name].seed for name, label in LABELS[part].items())
    counts = Counter(label.kind for label in LABELS[part].values())
    assert min(counts.values()) >= 4
    assert len(counts) == 12


def test_the_parts_share_neither_a_seed_nor_a_trouble() -> None:
    seeds, told = (
        [{getattr(label, what) for label in labels.values()} for labels in LABELS.values()]
        for what in ("seed", "description")
    )
    assert not seeds[0] & seeds[1]
    assert not told[0] & told[1]


def test_a_label_holds_together() -> None:
    for labels in LABELS.values():
        for label in labels.values():
            assert bool(label.expected) == (label.onset is not None) == bool(label.trigger)
            if label.onset is not None:
                assert label.end is not None
                assert 35.0 < label.onset <= label.end < label.seconds
                assert not (label.metastable and label.recovered is not None)
                assert not {*label.victims} & {*label.trigger}


def test_metastable_cases_and_such_as_pass_are_in_both_parts() -> None:
    for labels in LABELS.values():
        storms = {label.metastable for label in labels.values() if label.kind == "retry_storm"}
        assert storms == {True, False}


def test_the_corpus_is_small_enough_to_be_committed() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*.jsonl*")) <= 5_000_000
