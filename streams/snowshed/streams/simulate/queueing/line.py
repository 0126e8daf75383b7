"""The callers' end of an edge: attempts, time-outs, retries, and what is counted of them."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf

from snowshed.producers.outcome import Outcome
from snowshed.streams.simulate.queueing.draws import generator, uniforms
from snowshed.streams.simulate.queueing.fleet import Link
from snowshed.streams.simulate.queueing.observing import Attempt
from snowshed.streams.simulate.queueing.persistence import Persistence
from snowshed.streams.simulate.queueing.station import REFUSED, Station
from snowshed.streams.simulate.queueing.store import LookAside
from snowshed.streams.simulate.queueing.tally import Tally
from snowshed.streams.simulate.queueing.troubles import Partition
from snowshed.streams.simulate.queueing.world import World

__all__ = ["Answer", "Call", "Line", "Serve"]

Answer = Callable[[float, bool], None]
"""Called with the moment and whether the call has succeeded."""
Serve = Callable[[float, int, Answer], None]
"""Has a replica of the callee make the calls that a request needs."""


class Call:
    """One call with all of its attempts."""

    __slots__ = ("answer", "key", "replica", "tries", "waiting")

    def __init__(self, replica: int, answer: Answer | None, key: int) -> None:
        self.replica, self.answer, self.key = replica, answer, key
        self.tries = 0
        """Retries so far."""
        self.waiting: Attempt | None = None
        """The attempt whose outcome is not known yet."""


class Line:
    """One edge at work.

    Args:
        link: what it is.
        station: the callee.
        world: the simulation.
    """

    def __init__(self, link: Link, station: Station, world: World) -> None:
        self.link, self.station, self.tally = link, station, Tally()
        name = f"{link.caller}>{link.callee}"
        self.cache = LookAside(link.cache, world.seed, "keys", name) if link.cache else None
        self.serve: Serve | None = None
        """Set where the callee calls others itself."""
        self._agenda, self._observer = world.agenda, world.observer
        self._chance = uniforms(generator(world.seed, "line", name))
        self._retries = Persistence(link.retries, self._chance)
        self._in_flight = 0
        self._ends: list[float] = []
        own = [each for each in world.troubles if isinstance(each, Partition) and _befalls(each, link)]
        self._cuts = tuple(each for each in own if not each.one_way)
        self._mutes = tuple(each for each in own if each.one_way)

    def call(self, now: float, replica: int, answer: Answer | None) -> None:
        """Make a call, which the cache may answer at once."""
        second = self.tally[int(now)]
        key = -1
        if self.cache:
            key, hit = self.cache.ask()
            second.cache_lookups += 1
            if hit:
                second.cache_hits += 1
                if answer:
                    answer(now, True)
                return
        second.first += 1
        call = Call(replica, answer, key)
        if self.link.shedding and next(self._chance) < self.link.shedding.share_at(now):
            second.attempts += 1
            second.rejected += 1
            self._fail(now, call)
            return
        self._retries.earn()
        self._send(now, call)

    def _send(self, now: float, call: Call) -> None:
        second = self.tally[int(now)]
        second.attempts += 1
        ends = self._ends
        while ends and ends[0] <= now:
            heappop(ends)
        busy = self._in_flight + len(ends) + 1
        # A comparison instead of max(): this runs for every simulated attempt.
        if busy > second.in_flight_max:  # noqa: PLR1730
            second.in_flight_max = busy
        attempt = Attempt(call.replica, call.tries, now, busy)
        if self._cuts and self._is_lost(now, self._cuts):
            self._lose(call, attempt)
            return
        start, end, attempt.replica, fails = self.station.receive(now, now + self.link.timeout)
        if end == REFUSED:
            self._count(now, attempt, Outcome.REJECTED)
            self._report(now, attempt, Outcome.REJECTED)
            self._retry(now, call)
        elif end == inf:
            self._lose(call, attempt)
        else:
            attempt.waited = start - now
            self.tally[int(start)].take_up(attempt.waited)
            attempt.unheard = bool(self._mutes) and self._is_lost(now, self._mutes)
            if self.serve:
                self._hand_over(end, call, attempt, fails=fails)
            else:
                self._foresee(end, call, attempt, fails=fails)

    def _foresee(self, end: float, call: Call, attempt: Attempt, *, fails: bool) -> None:
        """Settle an attempt whose callee asks nobody else: what comes of it is known when it is sent."""
        outcome = Outcome.LOCAL if fails else Outcome.OK
        if not fails:
            self.tally[int(end)].completions += 1
        self._report(end, attempt, outcome)
        if attempt.unheard or end > attempt.sent + self.link.timeout:
            self._lose(call, attempt)
            return
        heappush(self._ends, end)
        self._count(end, attempt, outcome)
        if fails:
            self._agenda.put(end, self._retry, call)
        elif call.answer or self.cache:
            self._agenda.put(end, self._succeed, call)

    def _lose(self, call: Call, attempt: Attempt) -> None:
        """Settle an attempt that no answer will reach in time."""
        deadline = attempt.sent + self.link.timeout
        heappush(self._ends, deadline)
        self._count(deadline, attempt, Outcome.TIMEOUT)
        self._agenda.put(deadline, self._retry, call)

    def _hand_over(self, end: float, call: Call, attempt: Attempt, *, fails: bool) -> None:
        """Let the callee ask others, and wait."""
        call.waiting = attempt
        self._in_flight += 1
        self._agenda.put(attempt.sent + self.link.timeout, self._expire, (call, attempt))

        def served(now: float, outcome: Outcome) -> None:
            if outcome is Outcome.OK:
                self.tally[int(now)].completions += 1
            self._report(now, attempt, outcome)
            if not attempt.unheard:
                self._settle(now, call, attempt, outcome)

        def answered(now: float, succeeded: bool) -> None:
            served(now, Outcome.OK if succeeded else Outcome.DOWNSTREAM)

        if fails:
            self._agenda.put(end, served, Outcome.LOCAL)
        else:
            self._agenda.put(end, self._ask_on, (attempt.replica, answered))

    def _ask_on(self, now: float, request: tuple[int, Answer]) -> None:
        if self.serve:
            self.serve(now, *request)

    def _expire(self, now: float, given_up: tuple[Call, Attempt]) -> None:
        self._settle(now, *given_up, Outcome.TIMEOUT)

    def _settle(self, now: float, call: Call, attempt: Attempt, outcome: Outcome) -> None:
        if call.waiting is not attempt:
            return
        call.waiting = None
        self._in_flight -= 1
        self._count(now, attempt, outcome)
        if outcome is Outcome.OK:
            self._succeed(now, call)
        else:
            self._retry(now, call)

    def _count(self, at: float, attempt: Attempt, outcome: Outcome) -> None:
        self.tally[int(at)].end(at - attempt.sent, outcome)
        if self._observer:
            self._observer.called(self.link, attempt, at, outcome)

    def _report(self, at: float, attempt: Attempt, outcome: Outcome) -> None:
        if self._observer:
            self._observer.served(self.link, attempt, at, outcome)

    def _retry(self, now: float, call: Call) -> None:
        wait = self._retries.wait(now, call.tries)
        if wait is None:
            self._fail(now, call)
            return
        call.tries += 1
        if wait:
            self._agenda.put(now + wait, self._send, call)
        else:
            self._send(now, call)

    def _succeed(self, now: float, call: Call) -> None:
        if self.cache:
            self.cache.fill(call.key)
        if call.answer:
            call.answer(now, True)

    def _fail(self, now: float, call: Call) -> None:
        if call.answer:
            call.answer(now, False)

    def _is_lost(self, now: float, cuts: tuple[Partition, ...]) -> bool:
        return any(cut.start <= now < cut.start + cut.seconds and next(self._chance) < cut.share for cut in cuts)


def _befalls(trouble: Partition, link: Link) -> bool:
    return (trouble.caller, trouble.callee) == (link.caller, link.callee)
