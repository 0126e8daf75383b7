"""What a service embeds to obey decisions: the Guard and its brakes, the replica router, the follower of topics."""

from snowshed.consumers.follower import Delivery, Follower

__all__ = ["Delivery", "Follower"]
