"""`snowshed policy`: a policy file checked, compared, tried on what has happened, and shown with what it leaves out."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import PolicyChange
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.cli.comparing import compare_policies
from snowshed.streams.cli.console import print_json
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix, connection_to
from snowshed.streams.cli.policy_lines import change_lines, plain, problems_in, row_line, settings_of
from snowshed.streams.cli.reaching import require_topics
from snowshed.streams.policy import Document, Policy, PolicyError, fingerprint, parsed, salvaged
from snowshed.streams.policy.differences import differences
from snowshed.streams.policy_file import read_document, read_policy
from snowshed.streams.policy_log import applied_policy, apply_policy
from snowshed.streams.replay.log import open_log

__all__ = ["group"]

_EXIT_DIFFERENT = 3
_BUILT_IN = "built-in"

PolicyFile = Annotated[Path, typer.Argument(metavar="FILE", help="Policy file (TOML).", show_default=False)]


def check(*, file: PolicyFile, json: Json = False) -> None:
    """Check a policy file: every mistake in it, each with its line; ends with 1 where there is one."""
    try:
        document = read_document(file)
    except PolicyError as error:
        if not json:
            raise
        print_json({"file": str(file), "valid": False, "problems": [*problems_in(error)]})
        raise typer.Exit(1) from None
    settings = len(differences(Policy(), document.policy))
    if json:
        print_json({"file": str(file), "valid": True, "fingerprint": document.fingerprint, "settings": settings})
    else:
        typer.echo(f"{file}: valid, {settings} settings other than the built-in ones, {document.fingerprint}")


def diff(
    *,
    a: Annotated[Path, typer.Argument(metavar="A", help="Policy file, or `built-in`.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Policy file, or `built-in`.", show_default=False)],
    json: Json = False,
) -> None:
    """Say what changes for whom from policy A to B; ends with 0 where they judge alike and with 3 where not."""
    one, other = _policy(a), _policy(b)
    changes = differences(one, other)
    prints = {"a": fingerprint(one), "b": fingerprint(other)}
    if json:
        print_json({"files": {"a": str(a), "b": str(b)}, "fingerprints": prints, "changes": [*map(plain, changes)]})
    else:
        typer.echo("\n".join(change_lines(f"A = {a} ({prints['a']}), B = {b} ({prints['b']})", changes)))
    if changes:
        raise typer.Exit(_EXIT_DIFFERENT)


def try_(
    *,
    file: PolicyFile,
    recordings: Annotated[
        list[Path], typer.Argument(metavar="RECORDING...", help="Recordings of the log.", show_default=False)
    ],
    policy: Annotated[
        Path | None,
        typer.Option(help="Policy file that the recorded workers had (default: built-in).", envvar="SNOWSHED_POLICY"),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw both policies into this .png or .svg file.")] = None,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Replay recorded incidents under a policy, beside what was decided under the one recorded.

    Changes that were applied while it was recorded count for the recorded policy alone.
    """
    recorded = (str(policy or _BUILT_IN), read_policy(policy))
    compare_policies(recordings, (recorded, (str(file), read_policy(file))), prefix, plot, json=json)


def show(
    *,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Policy file (default: built-in).", show_default=False)
    ] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only what the file sets.")] = False,
    applied: Annotated[
        bool, typer.Option("--applied", help="Of the policy that was applied last, instead of a file.")
    ] = False,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Show every setting in effect, with its unit and where its value comes from.

    Marks of built-in values: F published, F2 published but second-hand, P Snowshed's own choice, S from simulation.
    """
    if applied and file is not None:
        raise ConfigurationError("give a file or --applied, not both: snowshed policy show --applied")
    name, document = str(file), None if file is None else read_document(file)
    if applied:
        name, document = _applied(bootstrap, prefix)
    rows = [row for row in settings_of(document, name) if row["set"] or not changed]
    if json:
        print_json({"file": None if document is None else name, "settings": rows})
    else:
        typer.echo("\n".join(map(row_line, rows)))


def apply(
    *,
    file: PolicyFile,
    author: Annotated[str, typer.Option(help="Who applies it (default: the user).", show_default=False)] = "",
    reason: Annotated[str, typer.Option(help="Why, for whoever looks at it later.", show_default=False)] = "",
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Have both levels judge by a policy file from now on, at one place of the log of each of their partitions.

    It stays in force when workers restart, until another one is applied. Nothing waits for a restart.
    """
    document = read_document(file)
    connection, topics = connection_to(bootstrap), Topics(prefix)
    require_topics(connection, topics, *AGENTS.values(), "policies")
    codec = _codec()
    with open_log(connection, topics) as log:
        before = applied_policy(log, codec)
    change = PolicyChange(
        domain=document.policy.default_domain,
        revision=0,
        fingerprint=document.fingerprint,
        text=document.text,
        changed_at=time.time(),
        author=author or getpass.getuser(),
        reason=reason,
    )
    change = apply_policy(connection, topics, change, codec)
    changes = differences(Policy() if before is None else salvaged(before.text), document.policy)
    if json:
        told = {"revision": change.revision, "fingerprint": change.fingerprint, "changes": [*map(plain, changes)]}
        print_json({"file": str(file), **told})
    else:
        than = "the built-in one" if before is None else f"revision {before.revision} ({before.fingerprint})"
        typer.echo("\n".join(change_lines(f"revision {change.revision} ({change.fingerprint}) after {than}", changes)))


group: Mapping[str, Callable[..., None]] = MappingProxyType(
    {"check": check, "diff": diff, "try": try_, "show": show, "apply": apply}
)
"""The subcommands."""


def _policy(path: Path) -> Policy:
    return Policy() if str(path) == _BUILT_IN else read_policy(path)


def _codec() -> Codec:
    return Codec.from_settings(os.environ.get("SNOWSHED_REGISTRY_URL"))


def _applied(bootstrap: str, prefix: str) -> tuple[str, Document | None]:
    connection, topics = connection_to(bootstrap), Topics(prefix)
    require_topics(connection, topics, "policies")
    with open_log(connection, topics) as log:
        newest = applied_policy(log, _codec())
    if newest is None:
        return _BUILT_IN, None
    name = f"revision {newest.revision}"
    return name, parsed(newest.text, name)
