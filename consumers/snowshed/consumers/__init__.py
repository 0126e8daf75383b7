"""What a service embeds to obey decisions: the Guard and its brakes, the replica router, the follower of topics."""

from snowshed.consumers.admission.decided import Brake, Refusal
from snowshed.consumers.decisions.effective import Effective
from snowshed.consumers.decisions.view import DecisionView
from snowshed.consumers.fencing import WriteFence, WriteStanding
from snowshed.consumers.following.follower import Delivery, Follower
from snowshed.consumers.guard import Guard, GuardEvent, GuardStats
from snowshed.consumers.local import LocalBrakes, LocalStats
from snowshed.consumers.permit import Outcome, Permit
from snowshed.consumers.router import Reading, ReplicaRouter
from snowshed.consumers.wait_queue import WaitQueue, WaitQueueOptions

__all__ = [
    "Brake",
    "DecisionView",
    "Delivery",
    "Effective",
    "Follower",
    "Guard",
    "GuardEvent",
    "GuardStats",
    "LocalBrakes",
    "LocalStats",
    "Outcome",
    "Permit",
    "Reading",
    "Refusal",
    "ReplicaRouter",
    "WaitQueue",
    "WaitQueueOptions",
    "WriteFence",
    "WriteStanding",
]
