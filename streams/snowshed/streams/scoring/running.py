"""Runs the detectors over a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.topics import Topics
from snowshed.streams.agents.folds import folds
from snowshed.streams.policy import Policy
from snowshed.streams.replay import read_recording, replay
from snowshed.streams.scoring.baselines import BASELINES
from snowshed.streams.scoring.entry import entry_seconds
from snowshed.streams.scoring.label import LABELS, Label, read_labels
from snowshed.streams.scoring.outcome import alarms_of, judge
from snowshed.streams.scoring.score import CaseScore

__all__ = ["parts_of", "score_case", "score_part"]


def parts_of(corpus: Path) -> dict[str, Path]:
    """The parts of a corpus by name; a folder with labels of its own is its only part.

    Raises:
        ConfigurationError: there is none.
    """
    if (corpus / LABELS).exists():
        return {corpus.name: corpus}
    parts = {path.parent.name: path.parent for path in sorted(corpus.glob(f"*/{LABELS}"))}
    if not parts:
        raise ConfigurationError(f"{corpus} holds no {LABELS}: make a corpus with `snowshed simulate --corpus FOLDER`")
    return parts


def score_part(part: Path, policy: Policy) -> Iterator[CaseScore]:
    """Score a part's cases, one after another.

    Raises:
        ConfigurationError: a label or a recording cannot be read.
    """
    for label in read_labels(part):
        yield score_case(part / f"{label.case}.jsonl.gz", label, policy)


def score_case(path: Path, label: Label, policy: Policy) -> CaseScore:
    """Fold a case's recording, and hold what comes of it against its label."""
    recording, codec = read_recording(path), Codec()
    result = replay(recording, folds(policy, codec), Topics(), codec)
    seconds = entry_seconds(recording, label)
    return CaseScore(
        outcome=judge(label, result.incidents),
        baselines={name: alarms_of(label, raise_alarms(seconds)) for name, raise_alarms in BASELINES.items()},
    )
