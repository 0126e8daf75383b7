"""The settings of a notifier, from a TOML file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from snowshed.consumers.notify.channels.alertmanager import Alertmanager
from snowshed.consumers.notify.channels.email import Email
from snowshed.consumers.notify.channels.slack import Slack
from snowshed.consumers.notify.channels.webhook import Webhook
from snowshed.consumers.notify.message import Channel, NoticeItem, Phase
from snowshed.consumers.notify.outbox import Limits
from snowshed.consumers.notify.routes import Route
from snowshed.consumers.outward.http import Endpoint
from snowshed.consumers.outward.table import SettingError, Table, read_table
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import IncidentKind

__all__ = ["NotifySettings", "OpenChannel", "read_settings", "settings_of"]

_SEVERITIES = ("info", "warning", "critical")
_FIELDS = frozenset(field.name for field in fields(NoticeItem))


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """A channel and how it is spared."""

    channel: Channel
    limits: Limits
    kind: str
    """Type of the channel, as in the settings."""
    guarantee: str
    """How often its receiver may be told the same, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """What a notifier does."""

    channels: Mapping[str, OpenChannel]
    routes: tuple[Route, ...]
    max_age: float = 3_600.0
    """Seconds after which nobody is told of a notice any more, unless its incident is open or was told of."""


def read_settings(path: Path) -> NotifySettings:
    """The settings in a file.

    Raises:
        ConfigurationError: the file cannot be read, or a key or value in it is wrong.
    """
    return settings_of(read_table(path))


def settings_of(table: Table) -> NotifySettings:
    """The settings in a table.

    Raises:
        ConfigurationError: a key or value is wrong.
    """
    max_age = table.number("max_age", 3_600.0, low=1.0)
    channels = {name: _channel(inside) for name, inside in table.named("channels")}
    routes = tuple(_route(inside, channels) for inside in table.tables("routes"))
    table.done()
    if not channels or not routes:
        raise ConfigurationError(f"{table.where} needs at least one [channels.NAME] and one [[routes]]: nobody is told")
    return NotifySettings(channels=channels, routes=routes, max_age=max_age)


def _channel(table: Table) -> OpenChannel:
    kind = table.text("type")
    if kind not in _MAKERS:
        raise table.wrong("type", f"must be one of {', '.join(_MAKERS)}, not {kind!r}")
    make, guarantee = _MAKERS[kind]
    try:
        opened = OpenChannel(make(table), _limits(table), kind, guarantee)
    except SettingError:
        raise
    except ConfigurationError as error:  # of a channel, which knows no settings
        raise ConfigurationError(f"{table.where}: {error}") from None
    table.done()
    return opened


def _limits(table: Table) -> Limits:
    group_by = table.texts("group_by", Limits().group_by)
    for name in group_by:
        if name not in _FIELDS:
            raise table.wrong("group_by", f"names {name!r}, which notices do not have")
    return Limits(
        group_by=group_by,
        group_wait=table.number("group_wait", 0.0),
        count=table.count("limit", 20, low=1),
        per=table.number("per", 60.0, low=1.0),
        give_up=table.number("give_up", 3_600.0),
    )


def _alertmanager(table: Table) -> Channel:
    return Alertmanager(
        _endpoint(table, table.text("url")),
        resend=table.number("resend", 60.0, low=1.0),
        page=table.text("page", ""),
        token=table.secret_or_none("token"),
    )


def _webhook(table: Table) -> Channel:
    return Webhook(_endpoint(table, table.text("url")), table.secret_or_none("secret"))


def _slack(table: Table) -> Channel:
    return Slack(_endpoint(table, table.secret("url").reveal()))


def _email(table: Table) -> Channel:
    return Email(
        host=table.text("host"),
        port=table.count("port", 587, low=1),
        sender=table.text("from"),
        to=table.texts("to"),
        starttls=table.flag("starttls", default=True),
        user=table.text("user", ""),
        password=table.secret_or_none("password"),
        timeout=table.number("timeout", 10.0, low=0.1),
    )


_MAKERS: Mapping[str, tuple[Callable[[Table], Channel], str]] = {
    "alertmanager": (_alertmanager, "once: the same labels are the same alert, however often it is sent"),
    "webhook": (_webhook, "at least once, and once to a receiver that keeps the Idempotency-Key"),
    "slack": (_slack, "at least once: twice if this process dies between the answer and its record of it"),
    "email": (_email, "at least once; a repetition has the same Message-ID, which many mailboxes show once"),
}


def _endpoint(table: Table, url: str) -> Endpoint:
    return Endpoint(url, table.number("timeout", 10.0, low=0.1))


def _route(table: Table, channels: Mapping[str, OpenChannel]) -> Route:
    names = table.texts("channels")
    for name in names:
        if name not in channels:
            raise table.wrong("channels", f"names {name!r}; there are {', '.join(channels) or 'none'}")
    route = Route(
        channels=names,
        severities=_known(table, "severity", _SEVERITIES),
        kinds=_known(table, "kind", tuple(kind.value for kind in IncidentKind)),
        services=table.texts("service", ()),
        phases=_known(table, "phase", tuple(phase.value for phase in Phase)),
        last=table.flag("last", default=False),
    )
    table.done()
    return route


def _known(table: Table, key: str, known: tuple[str, ...]) -> frozenset[str]:
    found = table.texts(key, ())
    for name in found:
        if name not in known:
            raise table.wrong(key, f"must be one of {', '.join(known)}, not {name!r}")
    return frozenset(found)
