"""The throttle brake: a caller whose calls are refused sends fewer; pure.

Google's SRE book, "Handling overload": P(reject) = max(0, (requests − K·accepts) / (requests + 1)).
"""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.consumers.brakes.bounds import check
from snowshed.consumers.brakes.slots import Slots

__all__ = ["Throttle", "ThrottleOptions"]

_REQUESTS, _ACCEPTS = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleOptions:
    """How many calls may be in vain."""

    k: float = 2.0
    """Calls per accepted call that are always sent."""
    k_overloaded: float = 1.5
    """… while a decision says that the callee is overloaded."""
    window: float = 10.0
    """Seconds that are counted, more than a call's time-out; a recovered callee gets twice as much in each."""
    most: float = 0.9
    """Probability of a refusal, at most: what is sent in spite of all finds out that the callee is well again."""
    fewest: int = 20
    """Calls that the window needs before any is refused."""
    grace: float = 1.0
    """Seconds after which a call without an answer counts as not accepted; younger ones are not counted yet."""

    def __post_init__(self) -> None:
        check(self, low=1, k=self.k, k_overloaded=self.k_overloaded, fewest=self.fewest)
        check(self, above=True, window=self.window)
        check(self, high=1, most=self.most)
        check(self, grace=self.grace)


class Throttle:
    """Refuses calls with the probability that the recent ones were in vain beyond what K allows.

    A call counts as soon as it is older than the grace, answered or not: a callee that hangs throttles its callers
    before the first time-out, while the first second of many slow calls does not. A call that the throttle refused
    counts too, so the probability rises until hardly more is sent than K times what is accepted.
    """

    __slots__ = ("_begun_lately", "_due", "_ended", "_grace_at", "_options", "_slots", "begun", "probability")

    def __init__(self, options: ThrottleOptions, now: float) -> None:
        self._options = options
        self._slots = Slots(2, options.window, now)
        self.begun = 0
        """Calls made so far; whoever makes one adds 1."""
        self._ended = 0
        self._begun_lately = self._due = 0
        self._grace_at = now + options.grace
        self.probability = 0.0
        """Of a refusal, 0 to 1."""

    def refuses(self, draw: float) -> bool:
        """Whether a call that drew this number in [0, 1) is refused; a refusal counts at once."""
        if draw >= self.probability:
            return False
        self._slots.current[_REQUESTS] += 1
        return True

    def accepted(self) -> None:
        """A call has ended that the callee took on, whatever came of it."""
        self._ended += 1
        counts = self._slots.current
        counts[_REQUESTS] += 1
        counts[_ACCEPTS] += 1

    def dropped(self) -> None:
        """A call has ended that the callee refused, or did not answer in time."""
        self._ended += 1
        self._slots.current[_REQUESTS] += 1

    def forget(self) -> None:
        """Nothing will be heard of the calls that have not ended, which do not count as made in vain."""
        self.begun = self._ended = self._begun_lately = self._due = 0

    def tick(self, now: float, *, overloaded: bool) -> None:
        """Sets the probability; to be called several times a second."""
        options = self._options
        if now >= self._grace_at:
            self._due, self._begun_lately = self._begun_lately, self.begun
            self._grace_at = now + options.grace
        requests, accepts = self._slots.roll(now)
        requests += max(0, self._due - self._ended)
        k = options.k_overloaded if overloaded else options.k
        wasted = (requests - k * accepts) / (requests + 1) if requests >= options.fewest else 0.0
        self.probability = min(max(0.0, wasted), options.most)
