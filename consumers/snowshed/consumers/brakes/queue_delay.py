"""The queue brake: while requests wait too long, the lowest priorities are refused; pure.

A window's overload moves the number of calls to admit, and the last window's histogram of priorities turns that number
into a cursor. Every priority above the cursor is refused; of the one at the cursor a share passes, so that traffic of
one single priority is thinned instead of switched on and off.

H. Zhou et al.: Overload control for scaling WeChat microservices. SoCC 2018 (DAGOR).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from snowshed.consumers.brakes.bounds import check
from snowshed.consumers.brakes.chance import waits_by_chance
from snowshed.consumers.brakes.dither import Dither
from snowshed.schemas.propagation import LOWEST_PRIORITY

__all__ = ["QueueDelay", "QueueDelayOptions"]

_LEVELS = LOWEST_PRIORITY + 1
_EASY = 0.25
"""Share of the target below which there is hardly any wait."""
_IDLE = 0.7
"""Share of the capacity below which it is no chance that there is hardly any wait: places are free."""
_UNTIMED = 5.0
"""Targets that chance may take where there are no deadlines."""
_FASTEST = 6
"""Doublings after which everything passes anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDelayOptions:
    """When requests wait too long, and how fast the cursor moves."""

    target: float = 0.02
    """Seconds of mean queue delay that are borne."""
    deadline_share: float = 0.05
    """… or this share of the mean deadline, if that is more …"""
    utilization: float = 0.95
    """… or what requests wait by chance at this share of the capacity, where the host says how many it serves at a
    time: a few slots cannot be kept busy without a queue. 0 leaves that out."""
    chance_share: float = 0.15
    """Share of the mean deadline that chance may take of it; without deadlines five times `target`."""
    window: float = 1.0
    """Seconds after which the cursor moves …"""
    requests: int = 2000
    """… or requests, if they come first."""
    fewest: int = 10
    """Requests that a window needs to say that there is overload."""
    down: float = 0.95
    """Calls that the next window admits at overload, as a share of those admitted in the last one: less, so that a
    backlog is worked off. Where most had not waited too long there is none, and as many are admitted again."""
    up: float = 0.05
    """Calls that it admits more otherwise, as a share of the offered ones: so many while nobody waits, fewer the nearer
    the delay comes to its target."""
    climb: int = 16
    """Levels that the cursor rises at most in a window: what callers do not send any more cannot be counted."""
    ease: int = 3
    """Windows on end with hardly any wait, after which both steps up double each window: the trouble is over. They
    do at once where the host's places are known to be free."""

    def __post_init__(self) -> None:
        check(self, above=True, target=self.target, window=self.window, up=self.up)
        check(self, high=1, deadline_share=self.deadline_share, chance_share=self.chance_share)
        check(self, high=0.99, utilization=self.utilization)
        check(self, high=1, above=True, down=self.down)
        check(self, low=1, requests=self.requests, fewest=self.fewest, climb=self.climb, ease=self.ease)


class QueueDelay:
    """A cursor over 4 × 128 priorities, driven by the queue delay that the host reports.

    A host that reports no delay is never overloaded, and the brake lets everything pass.
    """

    __slots__ = (
        "_arrivals",
        "_arrived",
        "_began",
        "_capacity",
        "_chance",
        "_deadlines",
        "_delays",
        "_easy",
        "_edge",
        "_ended",
        "_long",
        "_options",
        "_refused",
        "_seen",
        "_slow",
        "_timed",
        "_waited",
        "_window_at",
        "cursor",
        "delay",
        "is_overloaded",
        "thins",
    )

    def __init__(self, options: QueueDelayOptions, now: float) -> None:
        self._options = options
        self.cursor = LOWEST_PRIORITY
        """The lowest priority of which anything is admitted."""
        self.delay = 0.0
        """Mean queue delay of the last window, in seconds."""
        self.is_overloaded = False
        """Whether the last window's delay was over its target."""
        self._edge = Dither()
        self._easy = 0
        self._chance = self._capacity = 0.0
        self._long = options.target
        self.thins = False
        """Whether only a share of the calls at the cursor passes; otherwise `passed` need not be told."""
        self._begin(now)

    @property
    def share(self) -> float:
        """The share of the calls at the cursor that passes."""
        return self._edge.share

    def refuses(self, priority: int, queued_for: float, remaining: float | None) -> bool:
        """Counts a request at the end of its wait; says whether it is refused.

        Args:
            priority: 0 is kept longest, 511 goes first.
            queued_for: seconds that it has waited; what is none, as by a clock that was set back, counts as 0.
            remaining: seconds until its deadline; None without one.
        """
        self._seen += 1
        if not 0.0 <= queued_for < inf:
            queued_for = 0.0
        if queued_for:
            self._delays += queued_for
            self._slow += queued_for > self._long
        if remaining is not None:
            self._timed += 1
            self._deadlines += remaining + queued_for
        self._waited += 1
        self._ended[priority] += 1
        if priority < self.cursor or (priority == self.cursor and not (self.thins and self._edge.refuses())):
            return False
        self._refused += 1
        return True

    def gave_up(self, queued_for: float) -> None:
        """Counts a request that was never put to this brake because it has waited too long."""
        self._seen += 1
        if 0.0 <= queued_for < inf:
            self._delays += queued_for

    def turns_away(self, priority: int) -> bool:
        """Counts a request on its arrival; says whether it is refused before it waits.

        What arrives is what the cursor is set by; the ends of waits tell how much can be served, also while a queue is
        worked off. A host that does not ask here is taken to have no queue worth telling the two apart.
        """
        self._arrivals += 1
        self._arrived[priority] += 1
        return priority > self.cursor

    def passed(self, priority: int) -> None:
        """A request that was not refused has been admitted."""
        if priority == self.cursor and self.thins:
            self._edge.passed()

    def tick(self, now: float) -> None:
        """Moves the cursor when the window is over; to be called several times a second."""
        if now < self._window_at and self._seen < self._options.requests:
            return
        self.delay = self._delays / self._seen if self._seen else 0.0
        self.is_overloaded = self._seen >= self._options.fewest and self.delay > self.target
        self._easy = self._easy + 1 if self.delay < _EASY * self.target else 0
        if self._easy and self._has_room(now - self._began):
            self._easy = max(self._easy, self._options.ease + 1)
        if self.is_overloaded or self.cursor < LOWEST_PRIORITY or self.thins:
            self._move()
        self._long = self._least
        self._begin(now)

    def serve(self, slots: int, mean: float) -> None:
        """From now on requests are known to be served so many at a time, and to take so many seconds."""
        self._chance = waits_by_chance(slots, mean, self._options.utilization)
        self._capacity = slots / mean if mean > 0.0 else inf

    @property
    def target(self) -> float:
        """Seconds of mean queue delay that are borne, by the deadlines of this window."""
        return max(self._least, self._options.deadline_share * self._deadline)

    @property
    def _admitted(self) -> int:
        """Requests of this window that it let pass at the end of their wait."""
        return self._waited - self._refused

    @property
    def _deadline(self) -> float:
        """Mean seconds that the requests of this window had, from their arrival on; 0 where none had a deadline."""
        return self._deadlines / self._timed if self._timed else 0.0

    @property
    def _least(self) -> float:
        """The wait that nothing can be read from."""
        options = self._options
        most = options.chance_share * self._deadline if self._timed else _UNTIMED * options.target
        return max(options.target, min(self._chance, most))

    def _has_room(self, seconds: float) -> bool:
        """Whether clearly fewer were admitted in so many seconds than can be served; unknown counts as no."""
        return self._admitted < _IDLE * self._capacity * seconds

    def _move(self) -> None:
        offered = self._arrived if self._arrivals else self._ended
        admitted = self._admitted
        if self.is_overloaded:
            # A queue that serves the urgent first, and gives up what is late, is full and yet has no backlog.
            has_backlog = 2 * self._slow > self._waited
            self._aim(offered, admitted * (self._options.down if has_backlog else 1.0), LOWEST_PRIORITY)
        else:
            faster = 2 ** min(max(0, self._easy - self._options.ease), _FASTEST)
            spare = max(0.0, 1.0 - self.delay / self.target)
            more = faster * max(1.0, self._options.up * spare * sum(offered))
            self._aim(offered, admitted + more, self.cursor + faster * self._options.climb)

    def _aim(self, offered: list[int], wanted: float, highest: int) -> None:
        """Puts the cursor where the offered calls up to it, and the share at it, come to what is wanted."""
        below = 0
        for level in range(min(highest, LOWEST_PRIORITY) + 1):
            here = offered[level]
            if below + here > wanted:
                self._set(level, (wanted - below) / here)
                return
            below += here
        self._set(min(highest, LOWEST_PRIORITY), 1.0)

    def _set(self, cursor: int, share: float) -> None:
        self.cursor = cursor
        self._edge.share = share
        self.thins = share < 1.0

    def _begin(self, now: float) -> None:
        self._began = now
        self._window_at = now + self._options.window
        self._arrived = [0] * _LEVELS
        self._ended = [0] * _LEVELS
        self._seen = self._arrivals = self._waited = self._refused = self._slow = self._timed = 0
        self._delays = self._deadlines = 0.0
