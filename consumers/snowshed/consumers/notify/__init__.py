"""Tells people of incidents and actions: Alertmanager, webhooks, chat and e-mail."""

from snowshed.consumers.notify.message import Channel, Delivery, NoticeItem, NoticeMessage, Outcome, Phase
from snowshed.consumers.notify.notifier import Notifier
from snowshed.consumers.notify.settings import NotifySettings, read_settings

__all__ = [
    "Channel",
    "Delivery",
    "NoticeItem",
    "NoticeMessage",
    "Notifier",
    "NotifySettings",
    "Outcome",
    "Phase",
    "read_settings",
]
