"""A notifier's settings: what may stand in them, and what is said of what may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.receivers import Reply, http_receiver
from typer.testing import CliRunner, Result

from snowshed.consumers.notify.channels.alertmanager import Alertmanager
from snowshed.consumers.notify.settings import NotifySettings, read_settings, settings_of
from snowshed.consumers.outward.secret import Secret
from snowshed.consumers.outward.table import parse_table
from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.cli.app import build_app

GOOD = """
[channels.pager]
type = "alertmanager"
url = "http://alertmanager:9093"
resend = 30

[channels.chat]
type = "slack"
url = "env:CHAT_URL"
limit = 5
group_wait = 2

[channels.mail]
type = "email"
host = "mail.example.org"
from = "snowshed@example.org"
to = ["oncall@example.org"]
user = "snowshed"
password = "file:password"

[[routes]]
severity = "critical"
kind = ["overload", "cascade"]
service = "pay*"
channels = ["pager", "chat"]

[[routes]]
channels = "mail"
"""


def parsed(text: str) -> NotifySettings:
    return settings_of(parse_table(text, "notify.toml"))


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHAT_URL", "https://hooks.example.org/services/T/B/x")
    monkeypatch.chdir(tmp_path)
    Path("password").write_text("hunter2\n")


def test_channels_and_routes_are_read() -> None:
    settings = parsed(GOOD)
    pager = settings.channels["pager"].channel
    assert isinstance(pager, Alertmanager)
    assert pager.resend == 30.0
    assert settings.channels["chat"].limits.count == 5
    assert [route.channels for route in settings.routes] == [("pager", "chat"), ("mail",)]
    assert settings.routes[0].kinds == {"overload", "cascade"}
    assert "hunter2" not in repr(settings)
    assert "services/T" not in repr(settings)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('type = "slack"', 'type = "slak"', r"channels\.chat\.type must be one of alertmanager, webhook, slack, email"),
        ("resend = 30", "resent = 30", r"channels\.pager\.resent is unknown: did you mean 'resend'"),
        ("resend = 30", "resend = 0", r"channels\.pager\.resend must be a number from 1"),
        ("resend = 30", "resend = true", r"channels\.pager\.resend must be a number"),
        ("limit = 5", "limit = 1.5", r"channels\.chat\.limit must be a whole number from 1"),
        ('"env:CHAT_URL"', '"https://hooks/x"', r"channels\.chat\.url must name a secret by env:VARIABLE or file:PATH"),
        ('"env:CHAT_URL"', '"env:NO_SUCH"', r"channels\.chat\.url names env:NO_SUCH, where nothing stands"),
        ('"file:password"', '"file:nowhere"', r"channels\.mail\.password names the file nowhere, which cannot be read"),
        ('"http://alertmanager:9093"', '"alertmanager"', r"channels\.pager: an address must begin with http://"),
        ('channels = "mail"', 'channels = "male"', r"routes\[2\]\.channels names 'male'; there are pager, chat, mail"),
        ('severity = "critical"', 'severity = "bad"', r"routes\[1\]\.severity must be one of info, warning, critical"),
        ('"overload"', '"overlode"', r"routes\[1\]\.kind must be one of node_failed"),
        ("group_wait = 2", 'group_by = "colour"', r"channels\.chat\.group_by names 'colour'"),
        ('host = "mail.example.org"', "", r"channels\.mail\.host is missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationError, match=told):
        parsed(GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "place", "row"),
    [
        ("resend = 30", "  resend = 0", "channels.pager.resend", "  resend = 0"),
        ('host = "mail.example.org"', "", "channels.mail.host", "[channels.mail]"),
        ('channels = "mail"', 'channels = "male"', "routes[2].channels", 'channels = "male"'),
        ('"http://alertmanager:9093"', '"alertmanager"', "channels.pager", "[channels.pager]"),
    ],
)
def test_the_line_is_told_of_a_key_or_of_the_table_that_lacks_it(old: str, new: str, place: str, row: str) -> None:
    text = GOOD.replace(old, new)
    with pytest.raises(ConfigurationError) as error:
        parsed(text)
    file, line, _column, words = str(error.value).split(":", 3)
    assert (file, words.split()[0].rstrip(":"), text.splitlines()[int(line) - 1]) == ("notify.toml", place, row)


def test_a_secret_that_is_missing_is_told_once() -> None:
    with pytest.raises(ConfigurationError) as error:
        parsed(GOOD.replace('url = "env:CHAT_URL"', ""))
    assert str(error.value).endswith(": channels.chat.url is missing")
    assert str(error.value).count("channels.chat.url") == 1


def test_a_wrong_secret_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ConfigurationError) as error:
        parsed(GOOD.replace("env:CHAT_URL", "https://hooks.example.org/hunter3"))
    assert "hunter3" not in str(error.value)


def test_settings_that_tell_nobody_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="nobody is told"):
        parsed("max_age = 5")


def test_a_file_that_is_not_there_or_not_toml_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_settings(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[")
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        read_settings(tmp_path / "bad.toml")


def test_a_secret_shows_only_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", " hunter2\n")
    secret = Secret.named("env:X", {"X": " hunter2\n"})
    assert secret.reveal() == "hunter2"
    assert repr(secret) == str(secret) == "Secret('env:X')"


def test_a_secret_in_a_file_is_read_anew_because_it_is_renewed(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    secret = Secret.named(f"file:{file}")
    file.write_text("second\n")
    assert secret.reveal() == "second"
    file.unlink()
    assert secret.reveal() == "second", "what was read last, while the new one does not stand there yet"


def run(*words: str) -> Result:
    return CliRunner().invoke(build_app(words), words)


def test_check_shows_channels_routes_and_what_nobody_is_told(tmp_path: Path) -> None:
    file = tmp_path / "notify.toml"
    file.write_text(GOOD.replace('channels = "mail"', 'severity = "info"\nchannels = "mail"'))
    result = run("notify", "check", "--config", str(file))
    assert result.exit_code == 0
    assert "severity critical; kind cascade or overload; service pay* to pager, chat" in result.output
    assert "told to nobody" in result.output
    assert "hunter2" not in result.output


def test_a_test_message_says_for_each_channel_how_it_ended(tmp_path: Path) -> None:
    file = tmp_path / "notify.toml"
    with http_receiver() as good, http_receiver() as bad:
        bad.replies = [Reply(403, b"who are you")]
        file.write_text(
            f'[channels.a]\ntype = "webhook"\nurl = "{good.url}"\n'
            f'[channels.b]\ntype = "webhook"\nurl = "{bad.url}"\n[[routes]]\nchannels = ["a", "b"]\n'
        )
        result = run("notify", "test", "--config", str(file))
        assert result.exit_code == 1
        assert "a: sent" in result.output
        assert "HTTP 403: who are you" in result.output
        assert good.received[0].json["title"] == "[info] test: nothing is wrong"
        assert run("notify", "test", "--config", str(file), "--channel", "a").exit_code == 0
