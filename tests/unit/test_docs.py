"""The documentation says what the code does: its programs run, its commands parse, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import ssl
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest
import sqlalchemy
import typer
from tests.support.generate_docs import DOCS, PARTS, rewritten

from snowshed.consumers import DecisionView
from snowshed.consumers.actions.settings import plan_of
from snowshed.consumers.notify.settings import settings_of
from snowshed.consumers.outward.secret import Secret
from snowshed.consumers.outward.table import Table, parse_table
from snowshed.producers import Telemetry
from snowshed.producers.collectors.postgres.source_row import CREATE_TABLE
from snowshed.streams.broker.node import single_node
from snowshed.streams.cli.app import COMMANDS, build_app
from snowshed.streams.policy import Policy
from snowshed.streams.settings import WorkerSettings

ROOT = DOCS.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
NOWHERE = "127.0.0.1:1"
"""A Kafka address at which nobody listens: what services embed must not mind."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


@dataclass(frozen=True, slots=True)
class Block:
    page: Path
    language: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"{name(self.page)}:{self.line}"


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(*languages: str) -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in _FENCE.finditer(text):
            if found[1] in languages:
                yield Block(page, found[1], found[2], text.count("\n", 0, found.start()) + 1)


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text("utf-8"))


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line of the documentation, in words, without comments, assignments and redirections."""
    for block in blocks("sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            for part in re.split(r"[|;&]+(?=\s|$)|^(?:until|if|while)\s", line):
                with suppress(ValueError):  # a quote that spans lines opens no command of ours
                    words = shlex.split(part, comments=True)
                    while words and _ASSIGNMENT.fullmatch(words[0]):
                        words.pop(0)
                    if words:
                        yield str(block), words


def snowshed_commands() -> list[Any]:
    fenced = [(where, words) for where, words in commands() if Path(words[0]).name == "snowshed"]
    quoted = [
        (name(page), shlex.split(found[1].replace("…", "")))
        for page in PAGES
        for found in re.finditer(r"`((?:\.venv/bin/)?snowshed(?: [^`]*)?)`", prose(page))
    ]
    return [pytest.param(words[1:], id=f"{where} {' '.join(words[1:])}") for where, words in fenced + quoted]


def parse(words: list[str]) -> str:
    """Parse a command line down to its last command without running it; what is wrong with it, else nothing."""
    command: Any = typer.main.get_command(build_app(words))
    context: Any = None
    while True:
        try:
            context = command.make_context(command.name, list(words), parent=context)
            if not hasattr(command, "resolve_command"):
                return ""
            _, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        except Exception as error:  # noqa: BLE001 whatever the parser minds is the reader's problem
            return f"{type(error).__name__}: {error}"


# Generated parts


@pytest.mark.parametrize("page", PARTS)
def test_generated_parts_are_what_the_code_says(page: str) -> None:
    assert (DOCS / page).read_text("utf-8") == rewritten(page), "run: python -m tests.support.generate_docs"


# Links


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(found[1]) for found in re.finditer(r"^#{1,6} (.+)$", prose(page), re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if "://" in link:
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)} links to {link}"
        assert not anchor or anchor in anchors(target), f"{name(page)} links to {link}, where there is no such heading"


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=name)
def test_every_page_is_reached_from_the_readme(page: Path) -> None:
    assert f"docs/{page.name}" in (ROOT / "README.md").read_text("utf-8")


# Commands


@pytest.mark.parametrize("words", snowshed_commands())
def test_snowshed_commands_parse(words: list[str]) -> None:
    if len(words) > 1:
        assert parse(words) == ""
    else:  # merely named: need not be complete
        assert set(words) <= set(COMMANDS)


def test_a_command_that_does_not_exist_is_found_out() -> None:
    assert "No such option" in parse(["watch", "--onec"])
    assert "Missing" in parse(["record"])
    assert parse(["publish", "scenario", "retry-storm", "--seed", "3"]) == ""


def test_dev_recipes_exist() -> None:
    recipes = set(re.findall(r"^([a-z][a-z0-9-]*)(?: [^:=]*)?:(?!=)", (ROOT / "justfile").read_text(), re.MULTILINE))
    known = recipes | {"up", "setup", "help"}
    used = {words[1] for _, words in commands() if words[0] == "./dev"}
    used |= {found for page in PAGES for found in re.findall(r"`\./dev ([a-z0-9-]+)", prose(page))}
    assert used >= {"up", "test", "setup", "lint"}
    assert used - known == set()


# Programs


@dataclass(slots=True)
class Reader:
    """What a reader's program has before it comes to the documentation's lines, and what has to be ended."""

    names: dict[str, Any]

    def end(self) -> None:
        for value in self.names.values():
            if isinstance(value, DecisionView):
                value.close()
            elif isinstance(value, Telemetry):
                value.stop()


class UnconnectedConnection:
    """Stands for a database connection: instrumenting one only replaces its cursor class."""

    cursor_factory = psycopg.Cursor


def reader() -> Reader:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        """An ASGI application."""

    def wsgi_app(_environ: Any, _start_response: Any) -> list[bytes]:
        """A WSGI application."""
        return []

    def charge(order: str) -> str:
        return order

    return Reader(
        {
            "app": app,
            "charge": charge,
            "connection": UnconnectedConnection(),
            "engine": sqlalchemy.create_engine("sqlite://"),
            "primary_dsn": "postgresql://db1/shop",
            "replica_dsn": "postgresql://db2/shop",
            "wsgi_app": wsgi_app,
        }
    )


@pytest.mark.parametrize("page", sorted({block.page for block in blocks("python")}), ids=name)
def test_the_programs_of_a_page_run_in_their_order_without_kafka(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWSHED_BOOTSTRAP", NOWHERE)
    program = reader()
    try:
        for block in blocks("python"):
            if block.page == page:
                exec(compile("\n" * block.line + block.text, str(block), "exec"), program.names)  # noqa: S102
    finally:
        program.end()


# Settings


def settings_table() -> dict[str, str]:
    section = (DOCS / "operations.md").read_text("utf-8").partition("## A worker's settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `SNOWSHED_(\w+)` \|(.*?)\|", section, re.MULTILINE)
    return {variable.lower(): default.strip(" `") for variable, default in rows}


def test_the_settings_table_has_every_setting_with_its_default() -> None:
    fields = {field: info.default for field, info in WorkerSettings.model_fields.items() if field != "kafka"}
    expected = {field: "" if default is None else str(default) for field, default in fields.items()}
    assert settings_table() == expected


OTHER_SETTINGS: Mapping[str, Callable[[Table], object]] = {"howto-notify.md": settings_of, "howto-runbooks.md": plan_of}
"""Pages whose files are no policies, and what reads theirs."""


def somewhere(text: str) -> Secret:
    """A secret, wherever the reader keeps it."""
    return Secret("http://secret", text)


def trusting(cafile: str) -> None:
    """No proof is asked of a server that is not there; the authority is the reader's."""
    assert cafile


def test_other_settings_in_the_documentation_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Secret, "named", somewhere)
    monkeypatch.setattr(ssl, "create_default_context", trusting)
    found = [(block, OTHER_SETTINGS[block.page.name]) for block in blocks("toml") if block.page.name in OTHER_SETTINGS]
    assert len(found) >= 3
    for block, read in found:
        read(parse_table(block.text, str(block)))


def test_policy_files_in_the_documentation_are_valid() -> None:
    found = [tomllib.loads(block.text) for block in blocks("toml") if block.page.name not in OTHER_SETTINGS]
    assert len(found) >= 2
    for table in found:
        assert Policy.from_mapping(table) != Policy()


def test_the_table_to_create_by_hand_is_the_one_that_the_agent_creates() -> None:
    assert any(CREATE_TABLE in block.text for block in blocks("sql"))


def test_the_failover_settings_are_those_of_our_own_broker() -> None:
    [block] = blocks("properties")
    settings = dict(line.split("=", 1) for line in block.text.split())
    assert settings.items() <= single_node("", {}).items()


def test_metrics_named_in_prose_exist() -> None:
    page = (DOCS / "operations.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `(snowshed_\w+)` \|", page, re.MULTILINE))
    assert set(re.findall(r"`(snowshed_\w+)`", page)) == listed != set()
