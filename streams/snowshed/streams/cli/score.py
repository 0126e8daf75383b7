"""`snowshed score`: how well the detectors judge a labelled corpus, beside simple baselines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.cli.console import print_json, steps
from snowshed.streams.cli.options import Json
from snowshed.streams.cli.score_tables import score_lines
from snowshed.streams.policy_file import read_policy
from snowshed.streams.scoring import CaseScore, Score, parts_of, score, score_part

__all__ = ["command"]


def command(
    *,
    corpus: Annotated[
        Path, typer.Argument(help="A folder of parts, or one part: made by `snowshed simulate --corpus`.")
    ],
    part: Annotated[
        list[str] | None, typer.Option(metavar="PART", help="Only this part; may be repeated (default: all).")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Policy file (TOML) to judge by (default: built-in).", envvar="SNOWSHED_POLICY")
    ] = None,
    json: Json = False,
) -> None:
    """Score the detectors against a labelled corpus, beside simple baselines.

    Folds each recording, and counts what was found, how soon, by which name, and what was a false alarm. Choose
    settings on the part `dev`, and look at the part `test` once you have chosen.
    """
    judged, parts = read_policy(policy), parts_of(corpus)
    if unknown := sorted(set(part or ()) - set(parts)):
        raise ConfigurationError(f"{corpus} has no part {', '.join(unknown)}; there are {', '.join(parts)}")
    for name in part or parts:
        with steps() as step:
            step(f"{name}: folding the recordings in {parts[name]}")
            cases = list(score_part(parts[name], judged))
        if json:
            print_json({"part": name, **_counted(cases), "results": cases})
        else:
            typer.echo("\n".join(_told(name, cases)))


def _counted(cases: Sequence[CaseScore]) -> Mapping[str, object]:
    return {"score": score(cases), "kinds": _by_kind(cases)}


def _told(name: str, cases: Sequence[CaseScore]) -> Iterator[str]:
    yield from score_lines(name, score(cases), _by_kind(cases))


def _by_kind(cases: Sequence[CaseScore]) -> dict[str, Score]:
    kinds = dict.fromkeys(each.outcome.kind for each in cases)
    return {kind: score([each for each in cases if each.outcome.kind == kind]) for kind in kinds}
