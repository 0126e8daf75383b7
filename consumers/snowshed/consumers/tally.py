"""What a Guard counts, and how it hears of the ends of calls."""

from __future__ import annotations

from collections import Counter, deque

from snowshed.consumers.admission.controls import Controls
from snowshed.consumers.admission.decided import Brake, Refusal
from snowshed.consumers.permit import End, Outcome
from snowshed.consumers.reporting import GuardStats
from snowshed.schemas.propagation import Criticality

__all__ = ["Tally"]


class Tally:
    """Counts of one Guard, which holds its lock while it uses them.

    Only `ends` needs none: there a permit leaves how its call ended. The Guard hears of it before it decides anything
    else, so nothing is decided otherwise than if each end had been counted at once.
    """

    __slots__ = ("_ended", "_last_explanation", "_rejected", "_released", "_shadowed", "admitted", "ends", "torn")

    def __init__(self) -> None:
        self.ends: deque[End] = deque()
        """What has ended and was not heard of yet."""
        self.torn = False
        """True while a call's begin or end is counted. Found so by the next, an interrupt broke in: `start_over`."""
        self.admitted = 0
        """Calls; who admits one adds 1."""
        self._released = 0
        self._ended: Counter[Outcome] = Counter()
        self._rejected: Counter[Brake] = Counter()
        self._shadowed: Counter[Criticality] = Counter()
        self._last_explanation = ""

    def hear_ends(self, controls: Controls) -> None:
        """Counts what has ended."""
        ends, ended = self.ends, controls.local.ended
        while ends:
            self.torn = True
            call, outcome, failed, elapsed, now = ends.popleft()
            self._released += 1
            if outcome is not Outcome.SUCCEEDED:
                self._ended[outcome] += 1
            if call is not None:
                ended(call, outcome, failed, elapsed, now)
            self.torn = False

    def start_over(self, controls: Controls) -> None:
        """Forgets the calls in flight, whose number is not known any more: they count as ignored.

        Fewer are counted than there are until those have ended. A wrong count would stay wrong for ever.
        """
        self.ends = deque()
        self._ended[Outcome.IGNORED] += self.admitted - self._released
        self._released = self.admitted
        controls.local.forget()
        self.torn = False

    def refused(self, refusal: Refusal) -> None:
        """Counts a refused call."""
        self._rejected[refusal.brake] += 1
        self._last_explanation = refusal.reason

    def shadowed(self, criticality: Criticality) -> None:
        """Counts a call that a shadow decision would have refused."""
        self._shadowed[criticality] += 1

    def stats(self, controls: Controls) -> GuardStats:
        """All counts, and what is in force."""
        succeeded = self._released - self._ended.total()
        return GuardStats(
            admitted=self.admitted,
            in_flight=self.admitted - self._released,
            rejected=dict(self._rejected),
            would_have_rejected=dict(self._shadowed),
            outcomes=dict(+Counter({Outcome.SUCCEEDED: succeeded, **self._ended})),
            baseline=controls.baseline,
            effective=controls.effective,
            last_explanation=self._last_explanation,
            local=controls.local.stats,
        )
