"""Scores the detectors against a labelled corpus, beside simple baselines."""

from snowshed.streams.scoring.label import Label, read_labels
from snowshed.streams.scoring.outcome import Alarms, Naming, Outcome, judge
from snowshed.streams.scoring.running import parts_of, score_case, score_part
from snowshed.streams.scoring.score import AlarmScore, CaseScore, Score, score

__all__ = [
    "AlarmScore",
    "Alarms",
    "CaseScore",
    "Label",
    "Naming",
    "Outcome",
    "Score",
    "judge",
    "parts_of",
    "read_labels",
    "score",
    "score_case",
    "score_part",
]
