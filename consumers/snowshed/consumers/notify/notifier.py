"""Tells people: from the topics of notices and actions to channels, each notice once as far as its channel allows.

A notice is committed once its delivery on every channel stands on the topic of deliveries. So a notifier that dies
leaves, at worst, a message that was sent and not yet recorded: that one is sent again, with the same key.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import structlog

from snowshed.consumers.following.follower import Follower
from snowshed.consumers.notify.channels.alertmanager import Alertmanager
from snowshed.consumers.notify.desk import Desk, Source
from snowshed.consumers.notify.items import Explain, action_item, notice_item, phase_of, reminder_item
from snowshed.consumers.notify.memory import Memory
from snowshed.consumers.notify.message import Channel, Delivery, NoticeItem, NoticeMessage, Outcome, Phase
from snowshed.consumers.notify.outbox import Settled
from snowshed.consumers.notify.reading import NoticeReader
from snowshed.consumers.notify.settings import NotifySettings
from snowshed.consumers.notify.watermark import Place
from snowshed.consumers.notify.writing import DeliveryWriter
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import DecodeError
from snowshed.schemas.records import ActionState, DeliveryStatus, IncidentStatus, Notice, NoticeDelivery
from snowshed.schemas.topics import Topics

__all__ = ["Notifier"]

log = structlog.get_logger()

_JOIN = 5.0
"""Seconds that a notice waits for the record of its incident, which is written with it on another partition."""
_GRACE = 15.0
_COMMIT = 1.0
_TIDY = 3_600.0
_KEPT = 86_400.0


@dataclass(frozen=True, slots=True)
class _Arrival:
    at: float
    source: Source
    record: Notice | ActionState


class Notifier:
    """One of a group of processes that tell people.

    Args:
        connection: where Kafka is.
        topics: full topic names.
        settings: channels and routes.
        explain: tells an incident in plain words.
        codec: reads and writes records.
        ready: called once the group has told it what to read, and it knows what was told before.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Topics,
        settings: NotifySettings,
        *,
        explain: Explain,
        codec: Codec | None = None,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._codec = codec or Codec()
        self._settings, self._explain, self._topics = settings, explain, topics
        self._memory = Memory()
        limits = {name: opened.limits for name, opened in settings.channels.items()}
        self.desk = Desk(limits, settings.routes, self._memory, settings.max_age)
        self._follower = Follower(
            connection,
            [topics.full(short) for short in ("incidents", "decisions", "deliveries")],
            lambda delivery: self._memory.take(delivery.record),
            codec=self._codec,
            name="notify",
        )
        self._reader = NoticeReader(connection, topics, f"{topics.prefix}.notify", self._leave)
        self._writer = DeliveryWriter(connection, topics, self._codec)
        self._arrivals: list[_Arrival] = []
        self._under_way: dict[str, tuple[Future[Delivery], bool]] = {}
        self._remind_at = dict.fromkeys(settings.channels, 0.0)
        self._commit_at = self._tidy_at = 0.0
        self._ready: Callable[[], None] | None = ready

    def run(self, stop: Event) -> None:
        """Tell people until `stop` is set; what is under way then is waited for.

        Raises:
            ConfigurationError: the broker denies a permission.
        """
        self._follower.start()
        with ThreadPoolExecutor(max(1, len(self._settings.channels)), "snowshed-channel") as pool:
            try:
                while not stop.is_set():
                    self._turn(pool, stop)
                self._end()
            finally:
                self._reader.close()
                self._writer.close()
                self._follower.stop()

    def _turn(self, pool: ThreadPoolExecutor, stop: Event) -> None:
        sources = self._reader.poll()
        if self._follower.last_progress < self._reader.assigned_at:
            self._await_state(stop)
        if self._ready is not None and self._reader.assigned_at and not stop.is_set():
            self._ready()
            self._ready = None
        for source in sources:
            self._arrive(source)
        self._join()
        for name, opened in self._settings.channels.items():
            self._serve(name, opened.channel, pool)
        self._writer.serve()
        self._commit()

    def _await_state(self, stop: Event) -> None:
        """Wait until all that earlier owners of our partitions have recorded is known."""
        while not stop.is_set() and self._follower.last_progress < self._reader.assigned_at:
            stop.wait(0.05)

    def _arrive(self, source: Source) -> None:
        if source.place not in self._reader.owned:
            return
        self.desk.arrived(source)
        try:
            record = None if source.value is None else self._codec.decode(source.value)
        except DecodeError as error:
            self._writer.set_aside(source, type(error).__name__, error.reason, time.time())
            record = None
        if isinstance(record, (Notice, ActionState)):
            if isinstance(record, Notice):
                self._memory.remember(record)
            self._arrivals.append(_Arrival(time.monotonic(), source, record))
        else:
            self.desk.pass_over(source)

    def _join(self) -> None:
        now = time.monotonic()
        left: list[_Arrival] = []
        for arrival in self._arrivals:
            if self._known(arrival.record) or now >= arrival.at + _JOIN:
                self._sort(arrival)
            else:
                left.append(arrival)
        self._arrivals = left

    def _known(self, record: Notice | ActionState) -> bool:
        incident = self._memory.incident(record.incident_id)
        closes = isinstance(record, Notice) and phase_of(record) is Phase.CLOSED
        return incident is not None and (not closes or incident.status is IncidentStatus.CLOSED)

    def _sort(self, arrival: _Arrival) -> None:
        record, source = arrival.record, arrival.source
        incident = self._memory.incident(record.incident_id)
        if isinstance(record, ActionState):
            item = action_item(record, incident)
        else:
            decisions, severity = self._memory.decisions(record.incident_id), self._memory.remember(record)
            item = notice_item(record, incident, decisions, severity=severity, explain=self._explain)
        if item is None:
            self.desk.pass_over(source)
        elif not self.desk.take(source, item, time.time()):
            log.info("notice_not_told", notice=item.notice_id, reason="no route, told before, or too old")

    def _serve(self, name: str, channel: Channel, pool: ThreadPoolExecutor) -> None:
        if name in self._under_way:
            self._hear(name)
            return
        now = time.time()
        message = self.desk.due(name, now)
        if message is not None:
            self._under_way[name] = (pool.submit(_attempted, channel, message, now), True)
        elif isinstance(channel, Alertmanager) and now >= self._remind_at[name]:
            self._remind_at[name] = now + channel.resend
            if reminder := self._reminder(name):
                self._under_way[name] = (pool.submit(_attempted, channel, reminder, now), False)

    def _reminder(self, name: str) -> NoticeMessage | None:
        items = [
            reminder_item(
                incident, self._memory.decisions(incident.incident_id), severity=severity, explain=self._explain
            )
            for incident, severity in self._memory.open_on(name)
            if self._reader.owns_incident(incident.incident_id)
        ]
        return NoticeMessage(items=tuple(items)) if items else None

    def _hear(self, name: str) -> None:
        future, counts = self._under_way[name]
        if not future.done():
            return
        del self._under_way[name]
        delivery = future.result()
        if delivery.outcome is not Outcome.SENT:
            log.warning("notice_not_delivered", channel=name, outcome=delivery.outcome.value, reason=delivery.reason)
        if counts and (settled := self.desk.settle(name, delivery, time.time())) is not None:
            self._record(name, settled)

    def _record(self, name: str, settled: Settled) -> None:
        now = time.time()
        for item in settled.items:
            if settled.reason:
                for source in self.desk.sources(name, item):
                    self._writer.set_aside(source, "GivenUp", f"channel {name}: {settled.reason}", now)
            record = NoticeDelivery(
                notice_id=item.notice_id,
                incident_id=item.incident_id,
                channel=name,
                severity=item.severity,
                status=DeliveryStatus.GIVEN_UP if settled.reason else DeliveryStatus.SENT,
                at=now,
                reason=settled.reason,
            )
            self._memory.take(record)
            self._writer.record(record, _then(self.desk.recorded, name, item))
        log.info("notices_told" if not settled.reason else "notices_given_up", channel=name, notices=len(settled.items))

    def _commit(self) -> None:
        now = time.monotonic()
        if now >= self._commit_at:
            self._commit_at = now + _COMMIT
            self._reader.commit(self.desk.commits())
        if now >= self._tidy_at:
            self._tidy_at = now + _TIDY
            self._memory.forget_before(time.time() - _KEPT - self._settings.max_age)

    def _leave(self, places: frozenset[Place]) -> None:
        self._writer.flush(_GRACE)
        self._reader.commit(self.desk.commits())
        self._arrivals = [arrival for arrival in self._arrivals if arrival.source.place not in places]
        self.desk.forget(places)

    def _end(self) -> None:
        deadline = time.monotonic() + _GRACE
        while self._under_way and time.monotonic() < deadline:
            for name in list(self._under_way):
                self._hear(name)
            time.sleep(0.02)


def _then(call: Callable[[str, NoticeItem], None], name: str, item: NoticeItem) -> Callable[[], None]:
    return lambda: call(name, item)


def _attempted(channel: Channel, message: NoticeMessage, now: float) -> Delivery:
    try:
        return channel.deliver(message, now)
    except Exception as error:
        # A thread's boundary: whatever a channel did not foresee must not silence the others.
        log.exception("channel_failed")
        return Delivery(Outcome.AGAIN, type(error).__name__)
